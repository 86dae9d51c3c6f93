"""Where published weights can be had: one file for each network, fetched once and checked.

The addresses and checksums are those of torchvision, of timm, of Cadene's pretrained-models.pytorch and of
keras.applications. The other networks' weights have no published checksum: download them yourself (those of
facenet-pytorch, and timm's on the Hugging Face hub) and give `load_weights` the file.
"""

from dataclasses import dataclass
from pathlib import Path

from ..data.download import cache_directory, download

TORCHVISION = "https://download.pytorch.org/models/"
CADENE = "http://data.lip6.fr/cadene/pretrainedmodels/"
KERAS = "https://storage.googleapis.com/tensorflow/keras-applications/"


@dataclass(frozen=True)
class Published:
    """A file of weights: its address and what is known of its checksum, which torch's files carry in their names."""

    url: str
    sha256: str | None = None
    md5: str | None = None

    @property
    def file_name(self):
        return self.url.rpartition("/")[2]


PUBLISHED = {
    "alexnet": Published(TORCHVISION + "alexnet-owt-7be5be79.pth", sha256="7be5be79"),
    "googlenet": Published(TORCHVISION + "googlenet-1378be20.pth", sha256="1378be20"),
    "inception_resnet_v2": Published(CADENE + "inceptionresnetv2-520b38e4.pth", sha256="520b38e4"),
    "inception_v2": Published(CADENE + "bn_inception-52deb4733.pth", sha256="52deb4733"),
    "inception_v3": Published(TORCHVISION + "inception_v3_google-0cc3c7bd.pth", sha256="0cc3c7bd"),
    "inception_v4": Published(CADENE + "inceptionv4-8e4777a0.pth", sha256="8e4777a0"),
    "resnet18": Published(TORCHVISION + "resnet18-f37072fd.pth", sha256="f37072fd"),
    "vgg16": Published(TORCHVISION + "vgg16-397923af.pth", sha256="397923af"),
    "vgg16_bn": Published(TORCHVISION + "vgg16_bn-6c64b313.pth", sha256="6c64b313"),
    "xception": Published(
        "https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-cadene/xception-43020ad28.pth",
        sha256="43020ad28",
    ),
}
KERAS_PUBLISHED = {
    "inception_resnet_v2": Published(
        KERAS + "inception_resnet_v2/inception_resnet_v2_weights_tf_dim_ordering_tf_kernels.h5",
        md5="e693bd0210a403b3192acc6073ad2e96",
    ),
    "inception_v3": Published(
        KERAS + "inception_v3/inception_v3_weights_tf_dim_ordering_tf_kernels.h5",
        md5="9a0d58056eeedaa3f26cb7ebd46da564",
    ),
    "xception": Published(
        KERAS + "xception/xception_weights_tf_dim_ordering_tf_kernels.h5", md5="0a58e3b7378bc2990ea3b43d5981f1f6"
    ),
}


def download_weights(name, directory=None, *, source="torch", **options):
    """Download the published ImageNet weights of the network `name` unless they are there; return the file's path.

    directory: None is `weights` in the cache folder (see `minception.data.cache_directory`). source: "torch" or
    "keras". options: `progress`, `timeout`, `attempts`, `backoff` of `minception.data.download`, whose errors it
    raises. Raises ValueError for a network without published weights.
    """
    tables = {"torch": PUBLISHED, "keras": KERAS_PUBLISHED}
    if source not in tables:
        raise ValueError(f'download_weights: source must be "torch" or "keras", got {source!r}')
    if name not in tables[source]:
        raise ValueError(
            f"download_weights: no {source} weights of {name!r} can be downloaded; "
            f"there are those of {', '.join(sorted(tables[source]))}"
        )
    published = tables[source][name]
    directory = cache_directory() / "weights" if directory is None else Path(directory)
    target = directory / published.file_name
    return download(published.url, target, md5=published.md5, sha256=published.sha256, **options)
