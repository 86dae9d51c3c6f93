"""A piece of work as a function that does it once: a training step, or an evaluation, in minception or in PyTorch."""

import numpy as np

SETTINGS = {"lr": 0.01, "momentum": 0.9, "nesterov": True, "weight_decay": 5e-4}


def data(work):
    """Images (N, 3, size, size) in float32 and labels (N,)."""
    rng = np.random.default_rng(0)
    images = rng.standard_normal((work.batch, 3, work.size, work.size), np.float32)
    return images, rng.integers(0, work.num_classes, work.batch)


def minception_step(work, device="cpu", graphed=False):
    """In minception, on a device. Evaluation is that of the network after `fuse()`.

    graphed: forward and backward pass of a training step are a CUDA graph.
    """
    import minception as mc
    import minception.functional as F
    from minception import models, optim

    model = models.create(work.network, num_classes=work.num_classes, **work.options).train(work.training).to(device)
    images, labels = (mc.from_numpy(array).to(device) for array in data(work))
    if not work.training:
        model = model.fuse()

        def evaluate():
            with mc.no_grad():
                model(images)

        return evaluate
    optimizer = optim.SGD(model.parameters(), **SETTINGS)

    def passes():
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()

    run = _as_graph(passes) if graphed else passes

    def step():
        run()
        optimizer.step()

    return step


def _as_graph(passes):
    """A function that replays the passes, which are captured after they have run by the same kernels."""
    import minception as mc
    from minception.kernels.capture import without_cublas

    with without_cublas():
        passes()
    graph = mc.cuda.CUDAGraph()
    with mc.cuda.graph(graph):
        passes()
    return graph.replay


def torch_step(work, modes, device="cpu"):
    """In PyTorch, on a device. modes: words such as "torch-compile-channels_last" contains them.

    "channels_last": images in that order; "autocast": forward in bfloat16 where torch thinks it safe; "compile":
    `torch.compile`; "folded", for evaluation: batch norm is folded into the convolutions, and compilation takes the
    weights for constants. Evaluation is in `inference_mode`.
    """
    import torch

    from tests.models.twins import TWINS

    torch.manual_seed(0)
    model = TWINS[work.network](num_classes=work.num_classes, **work.options).train(work.training).to(device)
    images, labels = (torch.from_numpy(array).to(device) for array in data(work))
    if "folded" in modes:
        from torch.fx.experimental.optimization import fuse

        model = fuse(model)
        torch._inductor.config.freezing = True
    if "channels_last" in modes:
        model = model.to(memory_format=torch.channels_last)
        images = images.to(memory_format=torch.channels_last)
    run = torch.compile(model) if "compile" in modes else model
    if not work.training:

        def evaluate():
            with torch.inference_mode():
                run(images)

        return evaluate
    optimizer = torch.optim.SGD(model.parameters(), fused=True, **SETTINGS)

    def step():
        optimizer.zero_grad()
        with torch.autocast(device.partition(":")[0], torch.bfloat16, enabled="autocast" in modes):
            loss = torch.nn.functional.cross_entropy(run(images), labels)
        loss.backward()
        optimizer.step()

    return step
