"""The networks, one file for each paper."""

from .alexnet import alexnet
from .auxiliary import GoogLeNetOutputs, InceptionOutputs, classification_loss
from .count import count_multiply_accumulates, count_parameters
from .googlenet import googlenet
from .googlenet_paper import googlenet_paper
from .googlenet_teaching import googlenet_teaching
from .inception_resnet_v1 import inception_resnet_v1
from .inception_resnet_v2 import inception_resnet_v2
from .inception_spectrum import SegmentedInception
from .inception_v2 import inception_v2
from .inception_v3 import inception_v3
from .inception_v4 import inception_v4
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
    "googlenet",
    "googlenet_paper",
    "googlenet_teaching",
    "inception_resnet_v1",
    "inception_resnet_v2",
    "inception_v2",
    "inception_v3",
    "inception_v4",
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
