"""The networks whose kernel calls are timed on the CPU."""

from ..cases import CONVOLUTIONS, OTHERS, POOLS, UPDATES

SMALL = {"stem": "cifar"}
# As `all_cases` takes them.
SOURCES = [
    ("inception_v3", 4, 299, {}, (*CONVOLUTIONS, "avg_pool2d", "max_pool2d")),
    ("xception", 4, 299, {}, CONVOLUTIONS),
    ("googlenet", 32, 32, {"aux_logits": False, **SMALL}, (*POOLS, *OTHERS, *UPDATES)),
    ("xception", 64, 32, {"width": 0.26, **SMALL}, (*POOLS, *OTHERS, *UPDATES)),
    ("mini_inception", 128, 32, {}, (*POOLS, *OTHERS, *UPDATES)),
    ("mini_xception", 128, 32, {}, (*POOLS, *OTHERS, *UPDATES)),
    ("googlenet_paper", 8, 224, {"aux_logits": False}, ("local_response_norm",)),
]
# Of the quick run: the commonest groups.
QUICK = {
    "conv 1x1, forward",
    "conv 1x1, input gradient",
    "conv 1x1, weight gradient",
    "conv 3x3, forward",
    "conv 3x3, input gradient",
    "conv 3x3, weight gradient",
    "depthwise 3x3, forward",
    "depthwise 3x3, input gradient",
    "depthwise 3x3, weight gradient",
    "batch norm relu, forward",
    "batch norm relu, backward",
    "max pool, forward",
    "max pool, backward",
    "sgd, update",
}
