"""Classifying pictures: files or images in memory, by one network or several, from one view of each or many.

    from minception.predict import load_classifier, predict

    classifier = load_classifier("googlenet-1378be20.pth", "googlenet")
    for prediction in predict(classifier, ["cat.jpg", "dog.png"], top=5, crops=10):
        print(prediction.image, prediction.error or prediction.classes[0].name)

`minception predict` is this with a printed table.
"""

from .averaging import Prediction, RankedClass, predict, probabilities
from .class_names import class_names_for, imagenet_class_names, read_class_names
from .classifier import Classifier, load_classifier
from .crops import crops_of
from .images import PictureError, open_picture, prepare

__all__ = [
    "Classifier",
    "PictureError",
    "Prediction",
    "RankedClass",
    "class_names_for",
    "crops_of",
    "imagenet_class_names",
    "load_classifier",
    "open_picture",
    "predict",
    "prepare",
    "probabilities",
    "read_class_names",
]
