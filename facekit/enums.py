"""The closed sets of choices.  Imports nothing, so that `facekit --help` stays fast."""

from enum import Enum


class Metric(str, Enum):
    """The measures of how far two unit vectors are apart; each is a function of their cosine."""

    COSINE = "cosine"
    L2 = "l2"
    SQL2 = "sql2"
    ANGULAR = "angular"


class MeasuredBy(str, Enum):
    """Who measured the thresholds, error rates and probabilities of a model's card."""

    FACEKIT = "facekit"
    """The authors of facekit: the figures ship with facekit, for exactly this model file."""
    CARD_MAKER = "card-maker"
    """Whoever made the card, which may be anybody."""


class NamedPoint(str, Enum):
    """An operating point that has a name instead of a false match rate."""

    BEST_ACCURACY = "best-accuracy"
    """The smallest FMR + FNMR: the best accuracy on as many genuine as impostor pairs."""


class FacePolicy(str, Enum):
    """The faces of a photo that are used."""

    LARGEST = "largest"
    CENTER = "center"
    BEST = "best"
    ALL = "all"
    ERROR = "error"


class QualityGate(str, Enum):
    """Which photos are good enough to be enrolled."""

    STRICT = "strict"
    STANDARD = "standard"
    OFF = "off"


class Liveness(str, Enum):
    """What is done about presentation attacks (ISO/IEC 30107-1)."""

    OFF = "off"
    REPORT = "report"
    """Each face is classified, and the result is told."""
    REQUIRE = "require"
    """An error where a face is classified as an attack, or cannot be classified."""


class PadDecision(str, Enum):
    """What presentation attack detection says of a face, in the words of ISO/IEC 30107."""

    BONA_FIDE = "bona_fide"
    ATTACK = "attack"
    NON_RESPONSE = "non_response"
    """The face could not be classified."""


class ClassScores(str, Enum):
    """What a classifying network computes for each class."""

    PROBABILITIES = "probabilities"
    LOGITS = "logits"
    """Numbers of which the softmax, or for a single class the logistic function, is taken."""


class PadSystem(str, Enum):
    """Known presentation attack detectors, for the draft of a card."""

    MINIFASNET_V2 = "minifasnet-v2"
    """2.7_80x80_MiniFASNetV2 of minivision's Silent-Face-Anti-Spoofing."""
    MINIFASNET_V1SE = "minifasnet-v1se"
    """4_0_0_80x80_MiniFASNetV1SE of the same."""
    OTHER = "other"


class Rotate(str, Enum):
    """Whether faces are also looked for on the photo turned by 90, 180 and 270 degrees."""

    OFF = "off"
    AUTO = "auto"
    """Where no face was found on the photo as it is, or none of a score that upright faces have."""


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
    """The way in which the embeddings of a crop and of its mirror image are combined."""

    NONE = "none"
    """No mirror image."""
    CONCAT = "concat"
    """Concatenated: twice as long; the cosine is the mean of both cosines."""
    SUM = "sum"
    """Added, then scaled to unit length."""

    @property
    def vectors(self) -> int:
        """The length of a template in embeddings of the net: 1 or 2."""
        return 2 if self is Flip.CONCAT else 1


class Profile(str, Enum):
    """The evaluation of a known system, as its authors run it."""

    FACENET = "facenet"
    NXP = "nxp"
    SPHEREFACE = "sphereface"
    VASTAI = "vastai"


class CropRule(str, Enum):
    """The rule by which a face becomes a crop of the model's size."""

    MARGIN = "margin"
    """The box with a margin, resized; the aspect ratio is not kept, nothing is rotated."""
    SIMILARITY = "similarity"
    """Five landmarks mapped to reference points by rotation, uniform scale and translation."""
    NONE = "none"
    """The whole photo is the crop (photos that are aligned already)."""


class Architecture(str, Enum):
    """The architectures of embedding nets that facekit builds; see facekit/graph/nets."""

    INCEPTION_RESNET_V1 = "inception-resnet-v1"
    SPHEREFACE20 = "sphereface20"


class Runtime(str, Enum):
    """The library that runs the embedding network."""

    LITERT = "litert"
    ONNX = "onnx"
    KERAS = "keras"

    @property
    def suffix(self) -> str:
        """Suffix of the files that it runs, with the dot."""
        return {Runtime.LITERT: ".tflite", Runtime.ONNX: ".onnx", Runtime.KERAS: ".keras"}[self]


class ExportFormat(str, Enum):
    """The formats that `facekit export` writes; see facekit/tasks/export.py."""

    ONNX = "onnx"
    SAVED_MODEL = "saved-model"
    KERAS = "keras"
    TFLITE = "tflite"
    FACENET_PYTORCH = "facenet-pytorch"


class Precision(str, Enum):
    """The number format of an exported file's weights and computation."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"


class TrainingLoss(str, Enum):
    """The losses of training; facekit/training/losses.py has their equations."""

    SOFTMAX = "softmax"
    SOFTMAX_CENTER = "softmax+center"
    TRIPLET = "triplet"
    A_SOFTMAX = "a-softmax"
    ARCFACE = "arcface"


class Preprocessing(str, Enum):
    """The preprocessing of the systems that networks come from.

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
    """RGB, pixel values 0..255 unchanged."""


class PersonRule(str, Enum):
    """The way in which a query is compared with a person who has several templates."""

    BEST = "best"
    """By the most similar template."""
    MEAN = "mean"
    """By the mean of the templates, scaled to unit length."""


class VectorType(str, Enum):
    """The number format of stored templates."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    """Half the size; similarities change by less than 1e-3."""


class ClusterMethod(str, Enum):
    """The method that groups faces by person."""

    AGGLOMERATIVE = "agglomerative"
    """Groups are joined while their mean similarity is at least the threshold."""
    HDBSCAN = "hdbscan"
    """Dense regions of at least two faces, without a threshold."""


class Device(str, Enum):
    """The device that a network runs on."""

    CPU = "cpu"
    IMX93_NPU = "imx93-npu"
    IMX8MP_NPU = "imx8mp-npu"
    IMX95_NPU = "imx95-npu"
    IMX943_NPU = "imx943-npu"
    ETHOS_U85 = "ethos-u85"


class LiteRtPackage(str, Enum):
    """The Python packages that run .tflite files, by the names under which they are imported.

    They are in the order in which they are tried where nothing says which one is needed.
    """

    AI_EDGE_LITERT = "ai_edge_litert"
    """LiteRT."""
    TFLITE_RUNTIME = "tflite_runtime"
    """TensorFlow Lite without TensorFlow, the runtime that every image of NXP has."""
    TENSORFLOW = "tensorflow"

    @property
    def distribution(self) -> str:
        """Name for pip."""
        return self.value.replace("_", "-")


class RangeRule(str, Enum):
    """The rule by which the range of an activation's integers is chosen."""

    MINMAX = "minmax"
    """All values that occurred."""
    PERCENTILE = "percentile"
    """All values but the lowest and highest hundred-thousandth."""
    MSE = "mse"
    """The smallest mean squared error of rounding and clipping together."""
    ENTROPY = "entropy"
    """The smallest Kullback-Leibler divergence of the clipped and rounded values from the values
    (Migacz, 8-bit inference with TensorRT, GTC 2017)."""


class IdentityAnswer(str, Enum):
    """What an identification says of a face."""

    KNOWN = "known"
    """The most similar person of the gallery is named."""
    UNKNOWN = "unknown"
    """Nobody of the gallery is similar enough."""
    AMBIGUOUS = "ambiguous"
    """Two people are similar enough, and too close to each other to name one of them."""


class WatchAnswer(str, Enum):
    """What `facekit watch` answers for a photo."""

    SAME = "same"
    DIFFERENT = "different"
    KNOWN = "known"
    UNKNOWN = "unknown"
    AMBIGUOUS = "ambiguous"
    ERROR = "error"


class Stage(str, Enum):
    """A part of a photo's way to a decision."""

    LOAD = "load"
    """From a model file to a network that can run."""
    DETECT = "detect"
    """From a decoded photo to its faces."""
    ALIGN = "align"
    """From a photo with its faces to crops."""
    EMBED = "embed"
    """From crops to vectors of unit length, with the scaling of pixels."""
    MATCH = "match"
    """From two vectors to a decision."""
    VERIFY = "verify"
    """From two files to a decision, with all networks loaded."""


class CropFormat(str, Enum):
    """The format of stored crops."""

    PNG = "png"
    """Lossless."""
    JPEG = "jpg"
    """Quality 95: a fifth of the size."""


class LfwAlignment(str, Enum):
    """The copies of LFW that scikit-learn fetches."""

    ORIGINAL = "original"
    FUNNELED = "funneled"

    @property
    def folder(self) -> str:
        """Folder into which scikit-learn unpacks it, below its lfw_home."""
        return "lfw" if self is LfwAlignment.ORIGINAL else "lfw_funneled"


class ConfigKind(str, Enum):
    """The kinds of files in configs/, one folder each: recipes of quantization, targets of
    compilation,
    and configurations of three commands."""

    RECIPES = "recipes"
    TARGETS = "targets"
    TRAIN = "train"
    EVAL_LFW = "eval-lfw"
    BENCHMARK = "benchmark"
