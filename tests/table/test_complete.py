"""Nothing that computes is missing from the table: a new kernel, function, method or layer without a row fails here."""

import importlib

import numpy as np
import pytest
from hypothesis import given, settings

import minception as mc
from minception import functional, kernels, nn, optim
from minception.autograd import Function
from minception.kernels import dispatch
from minception.ops.methods import METHODS, REFLECTED

from .homes import HOMES
from .table import TABLE

PROVED = {name for row in TABLE.values() for name in row.proves}

NOT_OPERATIONS = {
    "ToDevice": "computes nothing: tests/device/test_tensor.py",
    "kernels.BatchNormGradients": "the container of what batch_norm_backward_steps returns",
    "kernels.BatchNormSteps": "the container of what batch_norm_forward_steps returns",
    "kernels.PreparedConv2d": "the container of what conv2d_prepare returns",
    "nn.Module": "the base class",
    "nn.ModuleDict": "a container of layers: tests/nn/test_containers.py",
    "nn.ModuleList": "a container of layers: tests/nn/test_containers.py",
    "nn.Sequential": "a container of layers: tests/nn/test_containers.py",
    "nn.Parameter": "a tensor that modules find",
    "nn.init": "a namespace: tests/nn/test_init.py",
    "optim.Optimizer": "the base class",
    "optim.RMSProp": "another name of RMSprop",
    "optim.clip_grad_norm_": "changes gradients in place: tests/optim/test_clip.py",
    "optim.clip_grad_value_": "changes gradients in place: tests/optim/test_clip.py",
    "optim.lr_scheduler": "a namespace: tests/optim/test_lr_scheduler.py",
    "optim.split_weight_decay": "sorts parameters into groups: tests/optim/test_param_groups.py",
}


def public_names():
    """Everything that computes, by its public name; autograd's functions by that of their class."""
    for namespace in (kernels.reference, functional, nn, optim):
        short = namespace.__name__.rpartition(".")[2].replace("reference", "kernels")
        yield from (f"{short}.{name}" for name in namespace.__all__)
    yield from (f"Tensor.{name}" for name in (*METHODS, *REFLECTED))
    yield from (cls.__name__ for cls in Function.__subclasses__() if cls.__module__.startswith(f"{mc.__name__}."))


@pytest.mark.parametrize("name", sorted(set(public_names())))
def test_has_a_row(name):
    assert name in PROVED or NOT_OPERATIONS.get(name), f"{name} has no row in tests/table/rows"


def test_rows_name_nothing_that_does_not_exist():
    tensor_names = {f"Tensor.{name}" for name in dir(mc.Tensor)}
    package_names = {f"minception.{name}" for name in mc.__all__}
    assert PROVED - set(public_names()) - tensor_names - package_names == set()
    assert set(NOT_OPERATIONS) - set(public_names()) == set()


@pytest.mark.parametrize("home", [*HOMES, "cuda"])
def test_homes_hold_kernels_of_the_table_only(home):
    names = set(importlib.import_module(f"{kernels.__name__}.{home}").__all__)
    assert names and names <= set(kernels.reference.__all__)


@pytest.mark.parametrize("operation", TABLE.values(), ids=list(TABLE))
def test_rows_call_the_kernels_that_they_claim(operation, monkeypatch):
    called = set()
    find = dispatch._find
    monkeypatch.setattr(dispatch, "_find", lambda home, name: called.add(f"kernels.{name}") or find(home, name))

    @settings(max_examples=25)  # in every profile: what is called does not depend on the numbers
    @given(operation.cases)
    def run(case):
        for face in operation.faces:
            operation.run(face, "reference", case.call(np.float64))

    run()
    assert {name for name in operation.proves if name.startswith("kernels.")} <= called
