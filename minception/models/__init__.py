"""The networks, one file for each paper."""

from .alexnet import alexnet
from .auxiliary import GoogLeNetOutputs, InceptionOutputs, classification_loss
from .count import count_multiply_accumulates, count_parameters
from .inception_spectrum import SegmentedInception
from .lenet import lenet5
from .mini_inception import mini_inception
from .mini_xception import mini_xception
from .nin import nin
from .preprocessing import Preprocessing
from .registry import Entry, create, entry, names, register
from .resnet import resnet18
from .vgg import vgg16, vgg16_bn
from .xception import xception
from .xception_deeplab import xception41, xception65, xception71

__all__ = [
    "Entry",
    "GoogLeNetOutputs",
    "InceptionOutputs",
    "Preprocessing",
    "SegmentedInception",
    "alexnet",
    "classification_loss",
    "count_multiply_accumulates",
    "count_parameters",
    "create",
    "entry",
    "lenet5",
    "mini_inception",
    "mini_xception",
    "names",
    "nin",
    "register",
    "resnet18",
    "vgg16",
    "vgg16_bn",
    "xception",
    "xception41",
    "xception65",
    "xception71",
]
