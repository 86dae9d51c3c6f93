"""The networks written in PyTorch from the papers, independently of ours.

They take our arguments by our names (those of width and small stems only where a test needs them), have the same
parameter names, and return in training (logits, aux2, aux1) or (logits, aux) where they have auxiliary heads.
"""

from tests.models.twins.companions import VGG16, VGG16BN, AlexNet, LeNet5, NiN, ResNet18
from tests.models.twins.googlenet import GoogLeNet, GoogLeNetPaper, GoogLeNetTeaching
from tests.models.twins.inception_resnet import InceptionResNetV1, InceptionResNetV2
from tests.models.twins.inception_v2 import InceptionV2
from tests.models.twins.inception_v3 import InceptionV3
from tests.models.twins.inception_v4 import InceptionV4
from tests.models.twins.mini import MiniInception, MiniXception
from tests.models.twins.xception import Xception
from tests.models.twins.xception_deeplab import xception41, xception65, xception71

TWINS = {
    "alexnet": AlexNet,
    "googlenet": GoogLeNet,
    "googlenet_paper": GoogLeNetPaper,
    "googlenet_teaching": GoogLeNetTeaching,
    "inception_resnet_v1": InceptionResNetV1,
    "inception_resnet_v2": InceptionResNetV2,
    "inception_v2": InceptionV2,
    "inception_v3": InceptionV3,
    "inception_v4": InceptionV4,
    "lenet5": LeNet5,
    "mini_inception": MiniInception,
    "mini_xception": MiniXception,
    "nin": NiN,
    "resnet18": ResNet18,
    "vgg16": VGG16,
    "vgg16_bn": VGG16BN,
    "xception": Xception,
    "xception41": xception41,
    "xception65": xception65,
    "xception71": xception71,
}
