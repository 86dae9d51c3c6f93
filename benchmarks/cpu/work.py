"""The pieces of work that are timed on the CPU."""

from ..work import Work

SMALL = {"stem": "cifar"}
GOOGLENET = {"aux_logits": False}
WORK = [
    Work("googlenet-cifar training", "googlenet", 32, 32, options={**SMALL, **GOOGLENET}, aim=0.75, quick=True),
    Work("small xception training", "xception", 64, 32, options={**SMALL, "width": 0.26, "dropout": 0.0}, quick=True),
    Work("mini_inception training", "mini_inception", 128, 32, quick=True),
    Work("mini_xception training", "mini_xception", 128, 32, quick=True),
    *(
        Work(f"{name} evaluation, batch {batch}", name, batch, size, False, options, 1000, aim=0.8)
        for name, size, options in (("googlenet", 224, GOOGLENET), ("xception", 299, {}))
        for batch in (1, 16)
    ),
]
