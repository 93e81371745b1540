"""Closed sets of choices.  No dependency at all, so that `facekit --help` stays fast."""

from enum import Enum


class Metric(str, Enum):
    """How two unit vectors are compared; all derive from the cosine by formula."""

    COSINE = "cosine"
    L2 = "l2"
    SQL2 = "sql2"
    ANGULAR = "angular"


class FacePolicy(str, Enum):
    """Which of a picture's faces is meant."""

    LARGEST = "largest"
    CENTER = "center"
    BEST = "best"
    ALL = "all"
    ERROR = "error"


class ColourOrder(str, Enum):
    RGB = "rgb"
    BGR = "bgr"


class ResizeFilter(str, Enum):
    NEAREST = "nearest"
    BILINEAR = "bilinear"
    AREA = "area"
    CUBIC = "cubic"
    LANCZOS = "lanczos"


class Flip(str, Enum):
    """How the embeddings of a crop and of its mirror image become one."""

    NONE = "none"
    """no mirror image"""
    CONCAT = "concat"
    """one after the other: twice as long; the cosine is the mean of both cosines"""
    SUM = "sum"
    """added, then given unit length"""

    @property
    def vectors(self) -> int:
        """How many of the net's vectors a template is long."""
        return 2 if self is Flip.CONCAT else 1


class Profile(str, Enum):
    """The evaluation of a known system, as its authors run it."""

    FACENET = "facenet"
    NXP = "nxp"
    SPHEREFACE = "sphereface"
    VASTAI = "vastai"


class CropRule(str, Enum):
    """How a face becomes a model-sized crop."""

    MARGIN = "margin"
    """the box grown by a margin, then resized; aspect is not kept, nothing is rotated"""
    SIMILARITY = "similarity"
    """five landmarks mapped onto a template by rotation, uniform scale and shift"""
    NONE = "none"
    """the whole picture is the crop (already aligned photos)"""


class Architecture(str, Enum):
    """Graphs of embedding nets that facekit builds; host/architectures.py knows how."""

    INCEPTION_RESNET_V1 = "inception-resnet-v1"
    SPHEREFACE20 = "sphereface20"


class Runtime(str, Enum):
    """What runs the embedding network."""

    LITERT = "litert"
    ONNX = "onnx"


class ExportFormat(str, Enum):
    """What `facekit export` writes; host/export has a file for each."""

    ONNX = "onnx"
    SAVED_MODEL = "saved-model"
    KERAS = "keras"
    TFLITE = "tflite"
    FACENET_PYTORCH = "facenet-pytorch"


class Precision(str, Enum):
    """How an exported file's weights are stored, and what it computes with."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"


class TrainingLoss(str, Enum):
    """What training minimises; host/train/losses.py has the equations."""

    SOFTMAX = "softmax"
    SOFTMAX_CENTER = "softmax+center"
    TRIPLET = "triplet"
    A_SOFTMAX = "a-softmax"
    ARCFACE = "arcface"


class Preprocessing(str, Enum):
    """How pixels become numbers in the systems that weights come from."""

    FACENET = "facenet"
    """RGB, (x - 127.5) / 128"""
    DEEPFACE = "deepface"
    """BGR, x / 255"""
    SPHEREFACE = "sphereface"
    """BGR, (x - 127.5) / 128"""
