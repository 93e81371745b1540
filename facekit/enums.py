"""Closed sets of choices.  No dependency at all, so that `facekit --help` stays fast."""

from enum import Enum


class Metric(str, Enum):
    """How two unit vectors are compared; all derive from the cosine by formula."""

    COSINE = "cosine"
    L2 = "l2"
    SQL2 = "sql2"
    ANGULAR = "angular"


class NamedPoint(str, Enum):
    """An operating point that is asked for by name instead of by a false match rate."""

    BEST_ACCURACY = "best-accuracy"
    """the least FMR + FNMR: the best accuracy on as many genuine as impostor pairs"""


class FacePolicy(str, Enum):
    """Which of a picture's faces is meant."""

    LARGEST = "largest"
    CENTER = "center"
    BEST = "best"
    ALL = "all"
    ERROR = "error"


class ColorOrder(str, Enum):
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
    """Graphs of embedding nets that facekit builds; facekit/graph/nets knows how."""

    INCEPTION_RESNET_V1 = "inception-resnet-v1"
    SPHEREFACE20 = "sphereface20"


class Runtime(str, Enum):
    """What runs the embedding network."""

    LITERT = "litert"
    ONNX = "onnx"
    KERAS = "keras"

    @property
    def suffix(self) -> str:
        """Of the files that it runs, with the dot."""
        return {Runtime.LITERT: ".tflite", Runtime.ONNX: ".onnx", Runtime.KERAS: ".keras"}[self]


class ExportFormat(str, Enum):
    """What `facekit export` writes; facekit/tasks/export.py makes each."""

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
    """What training minimizes; facekit/training/losses.py has the equations."""

    SOFTMAX = "softmax"
    SOFTMAX_CENTER = "softmax+center"
    TRIPLET = "triplet"
    A_SOFTMAX = "a-softmax"
    ARCFACE = "arcface"


class Preprocessing(str, Enum):
    """How faces become numbers in the systems that networks come from.

    facekit/conversion/import_options.py has each with its crop and its source.
    """

    FACENET = "facenet"
    """RGB, (x - 127.5) / 128"""
    DEEPFACE = "deepface"
    """BGR, x / 255"""
    INSIGHTFACE = "insightface"
    """RGB, (x - 127.5) / 127.5"""
    SPHEREFACE = "sphereface"
    """BGR, (x - 127.5) / 128"""
    RAW = "raw"
    """RGB, x: pixel values as they are"""


class PersonRule(str, Enum):
    """How a person with several templates is compared."""

    BEST = "best"
    """by the template that is most alike"""
    MEAN = "mean"
    """by the mean of the templates, of unit length again"""


class VectorType(str, Enum):
    """How a template's numbers are stored."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    """half the size; similarities change by less than 1e-3"""


class ClusterMethod(str, Enum):
    """How faces are grouped."""

    AGGLOMERATIVE = "agglomerative"
    """groups are joined while their mean similarity is at or above the threshold"""
    HDBSCAN = "hdbscan"
    """dense regions of at least two faces, without a threshold"""


class Device(str, Enum):
    """What a network runs on."""

    CPU = "cpu"
    IMX93_NPU = "imx93-npu"
    IMX8MP_NPU = "imx8mp-npu"
    IMX95_NPU = "imx95-npu"


class RangeRule(str, Enum):
    """What decides the range that the integers of an activation cover."""

    MINMAX = "minmax"
    """every value that was seen"""
    PERCENTILE = "percentile"
    """all but the last hundred-thousandth at each end"""
    MSE = "mse"
    """the least mean squared error of rounding and cutting together"""
    ENTROPY = "entropy"
    """the least Kullback-Leibler divergence of the cut and rounded values from the values
    (Migacz, 8-bit inference with TensorRT, GTC 2017)"""


class Stage(str, Enum):
    """Part of a picture's way to a decision."""

    LOAD = "load"
    """a model file to a network that can run"""
    DETECT = "detect"
    """a decoded photo to its faces"""
    ALIGN = "align"
    """a photo with its faces to crops"""
    EMBED = "embed"
    """crops to vectors of unit length, pixel scaling included"""
    MATCH = "match"
    """two vectors to a decision"""
    VERIFY = "verify"
    """two files to a decision, with all networks loaded"""


class CropFormat(str, Enum):
    """How crops are stored."""

    PNG = "png"
    """lossless"""
    JPEG = "jpg"
    """quality 95: a fifth of the size"""


class LfwAlignment(str, Enum):
    """The copies of LFW that scikit-learn fetches."""

    ORIGINAL = "original"
    FUNNELED = "funneled"

    @property
    def folder(self) -> str:
        """Where scikit-learn unpacks it, below its lfw_home."""
        return "lfw" if self is LfwAlignment.ORIGINAL else "lfw_funneled"


class ConfigKind(str, Enum):
    """What ships in configs/, by folder: recipes of quantizing, targets of compiling, and the
    configurations of three commands."""

    RECIPES = "recipes"
    TARGETS = "targets"
    TRAIN = "train"
    EVAL_LFW = "eval-lfw"
    BENCHMARK = "benchmark"
