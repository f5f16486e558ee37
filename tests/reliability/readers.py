"""Every public loader and reader of kinlib, each with a small good input that it reads.

An entry writes good files into an empty folder and reads them again. `test_fuzzing` reads them after mutations, and
`test_readers_are_complete` sees that no public `load_*` or `read*` function is forgotten.
"""

import io
import json
import lzma
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
import torch
from PIL import Image
from safetensors.torch import save

from kinlib.runtime import config

__all__ = ["READERS", "Reader", "toy_space"]

STUDIO = config.data_dir() / "studio"
WEIGHTS = config.data_dir() / "weights" / "studio"
LAYERS = 3


@dataclass(frozen=True)
class Reader:
    """One way in.

    Attributes:
        make: writes good files into an empty folder.
        read: reads them; what it may raise is `KinlibError`.
        kind: how they are mutated: "bytes", "json" or "tensors".
        names: the files that are mutated, by pattern.
        covers: the public functions that are called, as "module.function".
        share: of the inputs, relative to others; below 1 where one takes long.
    """

    make: Callable[[Path], None]
    read: Callable[[Path], object]
    covers: tuple[str, ...]
    kind: str = "bytes"
    names: str = "**/*"
    share: float = 1.0


# ---- photographs ----------------------------------------------------------------------------------------------------

PHOTO = "photo"


@cache
def _face() -> Image.Image:
    return Image.open(STUDIO / "portraits" / "couple_1_father.jpg").convert("RGB").resize((48, 48))


def _photo(kind: str, mode: str = "RGB", **options) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        if kind == "HEIF":
            import pillow_heif

            pillow_heif.register_heif_opener()
        exif = Image.Exif()
        exif[0x0112] = 6
        tags = {"exif": exif} if kind in ("JPEG", "PNG", "WEBP", "TIFF", "MPO", "AVIF") and mode == "RGB" else {}
        _face().convert(mode).save(folder / PHOTO, kind, **tags, **options)

    return make


def _read_photo(folder: Path) -> object:
    from kinlib.io.photos import read_photo

    content = (folder / PHOTO).read_bytes()
    seen = read_photo(folder / PHOTO)
    assert (seen.mode, seen.info) == ("RGB", {}) and min(seen.size) >= 16
    assert read_photo(content).tobytes() == seen.tobytes()
    return read_photo(io.BytesIO(content), max_side=32)


def _photos() -> dict[str, Reader]:
    kinds = {
        "jpeg": _photo("JPEG", quality=90),
        "progressive_jpeg": _photo("JPEG", progressive=True, icc_profile=_profile()),
        "cmyk_jpeg": _photo("JPEG", "CMYK"),
        "mpo": _photo("MPO", save_all=True, append_images=[_face()]),
        "png": _photo("PNG", icc_profile=_profile()),
        "alpha_png": _photo("PNG", "LA"),
        "palette_gif": _photo("GIF", "P"),
        "webp": _photo("WEBP"),
        "tiff": _photo("TIFF", compression="tiff_lzw"),
        "deep_tiff": _photo("TIFF", "F"),
        "bmp": _photo("BMP"),
        "ppm": _photo("PPM"),
        "jpeg2000": _photo("JPEG2000"),
        "avif": _photo("AVIF", speed=10),
        "heic": _photo("HEIF"),
    }
    return {f"photo_{name}": Reader(make, _read_photo, ("io.photos.read_photo",)) for name, make in kinds.items()}


def _profile() -> bytes:
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _upload(folder: Path) -> object:
    """Both the name and the content come from a stranger's browser."""
    from kinlib.session import read_upload

    content = (folder / PHOTO).read_bytes()
    return read_upload(content[-40:].decode("latin-1") + "../../x\0.jpg", content)


# ---- weights --------------------------------------------------------------------------------------------------------


def _container(kind: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        state = {"g_ema": {"w": torch.arange(6.0).reshape(2, 3)}, "latent_avg": torch.zeros(4)}
        if kind == "safetensors":
            (folder / "w.safetensors").write_bytes(
                save({"w": torch.zeros(2, 3), "b": torch.ones(4).half()}, {"a": "b"})
            )
        else:
            torch.save(state, folder / "w.pt", _use_new_zipfile_serialization=kind == "zip")

    return make


def _open(folder: Path) -> object:
    from kinlib.checkpoints.weights import open_checkpoint

    return {key: str(value) for key, value in open_checkpoint(next(folder.glob("w.*"))).items()}


def _network(state: Callable[[], dict], load: Callable[[Path], object], *covers: str, share: float = 1.0) -> Reader:
    """A loader of one network, given its tensors."""

    def make(folder: Path) -> None:
        torch.save(state(), folder / "net.pt")

    return Reader(make, lambda folder: load(folder / "net.pt"), covers, "tensors", share=share)


def _small(build: Callable[[], torch.nn.Module]) -> Callable[[], dict]:
    @cache
    def state() -> dict:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return build().state_dict()

    return state


def _bundled(role: str) -> Callable[[], dict]:
    @cache
    def state() -> dict:
        from kinlib.checkpoints.tensor_files import read_tensors

        return read_tensors(WEIGHTS / f"{role}.safetensors")

    return state


def _networks() -> dict[str, Reader]:
    from kinlib.attractiveness.network import ComboNet, load_backbone, load_combonet
    from kinlib.editing.attributes import AttributeNet, load_attributes
    from kinlib.editing.networks import Generator as Editor
    from kinlib.editing.networks import load_editor
    from kinlib.faces.demography import load_demography
    from kinlib.faces.identity import load_identity
    from kinlib.faces.parsing import load_parser
    from kinlib.faces.upscale_networks import Compact, load_upscaler
    from kinlib.gan.directions import load_direction, load_directions
    from kinlib.gan.encoder import CompactBackbone, Encoder, load_encoder
    from kinlib.gan.generator import Generator, load_generator
    from kinlib.inheritance.genes import GeneDecoder, GeneEncoder, load_genes
    from kinlib.inheritance.genes.files import gene_state
    from kinlib.inheritance.genes.networks import STUDIO as SIZES
    from kinlib.inheritance.genes.networks import Components
    from kinlib.inheritance.sampler import Sampler, load_sampler
    from kinlib.inheritance.weight_network import AdaptiveDimensionWeightModel, load_weight_network
    from kinlib.search.learned_step import PickNet, load_step
    from kinlib.search.vae import VAE, load_vae

    def genes() -> dict:
        sizes = replace(SIZES, num_layers=LAYERS, gene_dim=4, components=6, encoder_depth=1, head_depth=1)
        sizes = replace(sizes, decoder_depth=1, style_dim=8)
        components = Components(sizes.components, sizes.num_layers * sizes.style_dim)
        return gene_state(GeneEncoder(sizes, components), GeneDecoder(sizes, components))

    def encoder() -> dict:
        net = Encoder(CompactBackbone(8, widths=(4, 4, 4, 4), hidden=4), num_layers=8)
        return net.backbone.state_dict() | {"latent_avg": net.latent_avg, "input_size": torch.tensor(64)}

    def combonet() -> dict:
        return ComboNet("small").state_dict()

    def backbone() -> dict:
        return ComboNet("resnet18").backbone.state_dict()

    def into_backbone(path: Path) -> None:
        with torch.device("meta"):
            net = ComboNet("resnet18")
        load_backbone(net.to_empty(device="cpu"), path)

    def direction() -> dict:
        return {"direction": torch.randn(1, 512, generator=torch.Generator().manual_seed(0))}

    small_generator = _small(lambda: Generator(8, channels={4: 4, 8: 4}, n_mlp=1))
    weight_net = _small(lambda: AdaptiveDimensionWeightModel((LAYERS, 512), 8))
    return {
        "generator": _network(small_generator, load_generator, "gan.generator.load_generator"),
        "encoder": _network(_small_state(encoder), load_encoder, "gan.encoder.load_encoder"),
        "direction": _network(direction, load_direction, "gan.directions.load_direction"),
        "directions": _network(_bundled("directions"), load_directions, "gan.directions.load_directions"),
        "genes": _network(_small_state(genes), load_genes, "inheritance.genes.files.load_genes"),
        "sampler": _network(_small(lambda: Sampler(4, 24, 5, 3, 2)), load_sampler, "inheritance.sampler.load_sampler"),
        "weight_network": _network(weight_net, load_weight_network, "inheritance.weight_network.load_weight_network"),
        "vae": _network(_small(lambda: VAE(8, 2, 4)), load_vae, "search.vae.load_vae"),
        "learned_step": _network(
            _small(lambda: PickNet(6, 4, 3)), lambda path: load_step(toy_space(), path), "search.learned_step.load_step"
        ),
        "edit_attributes": _network(
            _own_attributes(_small(lambda: AttributeNet(3))),
            load_attributes,
            "editing.attributes.load_attributes",
            share=0.5,
        ),
        "editor": _network(_own_attributes(_small(lambda: Editor(3, 2))), load_editor, "editing.networks.load_editor"),
        "upscaler": _network(_small(lambda: Compact(4, 2, 2)), load_upscaler, "faces.upscale_networks.load_upscaler"),
        "combonet": _network(_small_state(combonet), load_combonet, "attractiveness.network.load_combonet"),
        "backbone": _network(_small_state(backbone), into_backbone, "attractiveness.network.load_backbone", share=0.1),
        "identity": _network(_bundled("identity"), load_identity, "faces.identity.load_identity", share=0.3),
        "demography": _network(_bundled("demography"), load_demography, "faces.demography.load_demography", share=0.3),
        "parser": _network(
            _bundled("parsing"), lambda path: load_parser(path=path), "faces.parsing.load_parser", share=0.3
        ),
    }


def _own_attributes(state: Callable[[], dict]) -> Callable[[], dict]:
    """Tensors of a network for three of the document's attributes, with the list of them."""

    def listed() -> dict:
        from kinlib.editing.attribute_sets import DOCUMENT, AttributeSet, as_tensor

        return state() | as_tensor(AttributeSet(DOCUMENT.attributes[:3]))

    return listed


def _small_state(state: Callable[[], dict]) -> Callable[[], dict]:
    """Made once, and always the same."""

    @cache
    def kept() -> dict:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return state()

    return kept


def _make_npy(folder: Path) -> None:
    np.save(folder / "age.npy", np.ones((1, 512), np.float32))


def _read_npy(folder: Path) -> object:
    from kinlib.gan.directions import load_direction

    return load_direction(folder / "age.npy")


def _make_predictor(folder: Path) -> None:
    content = lzma.decompress((WEIGHTS / "landmarks.dat.xz").read_bytes())
    (folder / "points.dat").write_bytes(content)


def _read_predictor(folder: Path) -> object:
    from kinlib.faces.landmarks import load_predictor

    return load_predictor(folder / "points.dat")


def _make_pool(folder: Path) -> None:
    from kinlib.inheritance.genes.pool import KINDS, save_pool

    names = {kind: ("a", "b") for kind in KINDS}
    labels = {kind: ["a", "b", "a"] for kind in KINDS}
    save_pool(folder / "pool.safetensors", torch.ones(3, LAYERS, 512), labels, names)


def _read_pool(folder: Path) -> object:
    from kinlib.inheritance.genes.pool import load_pool

    pool = load_pool(folder / "pool.safetensors")
    return np.asarray(pool.latents).sum()


# ---- notes and sessions ---------------------------------------------------------------------------------------------


@cache
def toy_space():
    """A search space whose pictures are linear in the coordinates."""
    from kinlib.search.spaces import SearchSpace

    basis = torch.linalg.qr(torch.randn(3 * 16 * 16, 6, generator=torch.Generator().manual_seed(0)))[0]  # [3 S S, D]
    vectors = {"Old": torch.tensor([2.0, 0, 0, 0, 0, 0]), "Smiling": torch.tensor([1.0, 1, 0, 0, 0, 0])}
    return SearchSpace(
        "toy", 6, 16, lambda some: (some @ basis.t()).unflatten(1, (3, 16, 16)),
        lambda images: images.flatten(1) @ basis, "00" * 32, vectors,
    )  # fmt: skip


def _make_session(folder: Path) -> None:
    from kinlib.search.session import FaceSearch

    session = FaceSearch(toy_space(), 4, seed=1)
    session.pick([2, 1])
    session.next_screen()
    session.set_attribute("Old", 1.0)
    session.lock("hair", 1)
    session.pick([0])
    session.save(folder / "session.json")


def _read_session(folder: Path) -> object:
    from kinlib.search.session import FaceSearch

    session = FaceSearch.load(folder / "session.json", toy_space())
    session.screen()
    session.picture()
    session.another_screen()
    return session.back() if session.generation else session.screen(inner=True)


def _make_weights(folder: Path) -> None:
    from kinlib.inheritance.weights_file import BlendWeights, save_weights

    save_weights(folder / "blend.json", BlendWeights("studio", 12, {"coarse": 0.3}, {2: 1.0}, {7: 0.25}))


def _read_weights(folder: Path) -> object:
    from kinlib.inheritance.weights_file import load_weights

    return load_weights(folder / "blend.json", "studio").shares()


def _make_attribute_set(folder: Path) -> None:
    known = {"Eyeglasses": {}, "Smiling": {"name": "smile", "touches": ["skin"], "loss": "nontarget", "excludes": []}}
    (folder / "own.json").write_text(json.dumps(known))


def _read_attribute_set(folder: Path) -> object:
    from kinlib.editing.attribute_sets import read_attribute_set

    known = read_attribute_set(folder / "own.json")
    return known.select(dict.fromkeys(known.columns, 1.0)), known.toggle([0.0] * len(known), known.columns[0])


def _make_note(folder: Path) -> None:
    (folder / "begun.json").write_text(json.dumps({"seed": 1, "kind": "x", "parts": [1, {"a": 2.5}]}))


def _read_note(folder: Path) -> object:
    from kinlib.io.resume import read_note, read_record

    return read_note(folder / "begun.json"), read_record(folder / "begun.json", "seed")


def _make_renders(folder: Path) -> None:
    """A set of renders as `kinlib render` writes it: two pictures of 16 px."""
    from kinlib.studio.datasets.batch import NOTE, RenderSettings
    from kinlib.studio.datasets.parts import part_path, write_note

    write_note(RenderSettings(2, 1, 64), folder, NOTE)
    buffer = io.BytesIO()
    _face().resize((16, 16)).save(buffer, "JPEG")
    mask = io.BytesIO()
    Image.new("L", (16, 16), 3).save(mask, "PNG")
    attributes = json.dumps({"hair_colour": "black", "grey": 0.1, "age": 30.0})
    row = {"view": 0, "image": buffer.getvalue(), "mask": mask.getvalue(), "regions": mask.getvalue()}
    row |= {"landmarks": np.zeros(136, np.float32), "yaw": 0.0, "attributes": attributes}
    pd.DataFrame([row | {"person": 0}, row | {"person": 1}]).to_parquet(part_path(folder, 0), index=False)


def _read_renders(folder: Path) -> object:
    from kinlib.studio.datasets.batch import NOTE, RenderSettings
    from kinlib.studio.datasets.parts import check_same_set
    from kinlib.studio.datasets.renders import load_faces, read_facts, read_part

    check_same_set(RenderSettings(2, 1, 64), folder, NOTE, "people", "renders")
    read_facts(folder, held_out=True)
    for part in sorted(folder.glob("*.parquet")):
        read_part(part, ["person"])
    return load_faces(folder).split()


def _read_labelled(folder: Path) -> object:
    from kinlib.training.data.label_maps import load_labelled

    return load_labelled(folder)


def _make_prepared(folder: Path) -> None:
    """A folder that `kinlib prepare` has finished, with faces of nobody."""
    root = folder / "photos"
    root.mkdir()
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (root / name).write_bytes(name.encode())
    with _imitation():
        _prepare(folder)


def _imitation():
    """Replaces the stages of `prepare` by rows that need no network."""
    from kinlib.prepare import engines

    return patch.object(engines, "prepare_part", imitate)


def imitate(part):
    """What `prepare_part` returns, without looking at the pictures."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from kinlib.prepare.parts import PreparedPart
    from kinlib.prepare.table import SCHEMA, stamp_of

    rows = [
        {"image": one.image, "status": "ok", "aligned": one.aligned, "stamp": stamp_of(part.root / one.image)}
        | {"latent": bytes(2 * 512 * LAYERS)}
        for one in part.photos
    ]
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), buffer)
    return PreparedPart(part.number, buffer.getvalue(), {one.aligned: b"a face" for one in part.photos})


def _prepare(folder: Path) -> object:
    from kinlib.prepare import list_photos, prepare

    return list(prepare(list_photos(folder / "photos", "folder"), folder / "out", workers=1, device="cpu"))


def _read_prepared(folder: Path) -> object:
    from kinlib.prepare import latents, read_prepared
    from kinlib.prepare.run import count_statuses, describe_failed

    try:
        table = read_prepared(folder / "out")
        latents(table)
    finally:
        with _imitation():
            _prepare(folder)
    return count_statuses(folder / "out"), describe_failed(folder / "out")


def _make_search(folder: Path) -> None:
    _search(folder, 1)


def _search(folder: Path, generations: int) -> object:
    from kinlib.search.by_picture import PictureSearch, SearchSettings

    target = torch.linspace(-1, 1, 3 * 16 * 16).reshape(3, 16, 16)
    search = PictureSearch(toy_space(), target, SearchSettings(population=4, parents=2), folder / "found")
    return list(search.run(generations))


def _make_run(folder: Path) -> None:
    net, run = torch.nn.Linear(2, 2), _run(folder)
    optimizer = torch.optim.AdamW(net.parameters())
    run.restore(net=net, optimizer=optimizer)
    net(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    run.step = 3
    run.record_call({"seed": 1, "lr": 0.1})
    run.log(loss=0.5)
    run.log(loss=0.25)
    run.save()


def _run(folder: Path):
    from kinlib.training.engine.loop import Run
    from kinlib.training.engine.processes import accelerator_for

    return Run(folder / "run", accelerator_for("cpu", "no"), minutes=1.0, total_steps=10)


def _read_run(folder: Path) -> object:
    run = _run(folder)
    try:
        net = torch.nn.Linear(2, 2)
        run.restore(net=net, optimizer=torch.optim.AdamW(net.parameters()))
        run.record_call({"seed": 2, "lr": 0.1})
    finally:
        run.bar.close()
        run._stop_listening()
    return run.step


def _make_reference(folder: Path) -> None:
    import hashlib

    from kinlib.evaluation.heredity.reference import FACTS, default_folder

    facts = json.loads((default_folder() / FACTS).read_bytes())
    for name in facts["files"]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        content = (default_folder() / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == facts["files"][name]
        (folder / name).write_bytes(content)
    (folder / FACTS).write_text(json.dumps(facts))


def _read_reference(folder: Path) -> object:
    from kinlib.evaluation.heredity.reference import load_reference

    return load_reference(folder)


# ---- lists of data sets ---------------------------------------------------------------------------------------------


def _write(path: Path, content: str | bytes = b"\xff\xd8x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def _make_family101(folder: Path) -> None:
    lines = [
        *("0\tFAMI\tSMITH", "1\tHUSB\tJohn_Smith", "1\tWIFE\tAnn_Miller", "1\tSONN\tBob_Smith", "1\tDAUG\tCleo_Smith"),
        *("2\tHUSB\tBob_Smith", "2\tWIFE\tEve_Jones", "2\tSONN\tDan_Smith", "0\tFAMI\tLEE", "1\tHUSB\tLi_Lee"),
        *("1\tWIFE\tHua_Lee", "1\tHUSB\tLu_Lee", "1\tDAUG\tMei_Lee"),
        *("0\tFAMI\tKIM", "1\tHUSB\tJo_Kim", "1\tWIFE\tSu_Kim", "1\tSONN\tHo_Kim"),
    ]
    _write(folder / "FAMILY101.txt", "\r\n".join(lines) + "\r\n")
    for person in ("SMITH/John_Smith", "SMITH/Ann_Miller", "SMITH/Bob Smith", "SMITH/Dan_Smith", "LEE/Li_Lee"):
        _write(folder / person / "0001.jpg")


def _make_fiw(folder: Path) -> None:
    # Families with a name or a photograph in common count as one group, which cannot be divided.
    for family in (1, 2, 3):
        rows = [f"1,0,5,4,John {family},m", f"2,5,0,4,Ann {family},f", f'3,1,1,0,"Bob, {family}",m']
        home = folder / "FIDs" / f"F000{family}"
        _write(home / "mid.csv", "\n".join(["MID,1,2,3,Name,Gender", *rows]))
        for number in (1, 2, 3):
            _write(home / f"MID{number}" / f"P000{family}{number}_face0.jpg")


def _make_kaggle(folder: Path) -> None:
    rows = ["p1,p2", "F0001/MID1,F0001/MID3", "F0001/MID2,F0001/MID3", "F0002/MID1,F0002/MID2", "F0003/MID1,F0003/MID2"]
    _write(folder / "train_relationships.csv", "\n".join(rows))
    members = ("F0001/MID1", "F0001/MID2", "F0001/MID3", "F0002/MID1", "F0003/MID1")
    for number, member in enumerate(members):
        _write(folder / "train" / member / f"P0000{number}_face0.jpg")


def _make_kinfacew(folder: Path) -> None:
    from scipy.io import savemat

    from kinlib.families.kinfacew import FOLDERS

    for place, kind in FOLDERS.items():
        names = [f"{kind}_{number:03d}_{who}.jpg" for number in (1, 2) for who in (1, 2)]
        for name in names:
            _write(folder / "KinFaceW-I" / "images" / place / name)
        cells = np.empty((2, 4), dtype=object)
        for i, row in enumerate(([1, 1, names[0], names[1]], [2, 0, names[0], names[3]])):
            cells[i] = [value if isinstance(value, str) else np.array([[value]]) for value in row]
        (folder / "KinFaceW-I" / "meta_data").mkdir(exist_ok=True)
        savemat(folder / "KinFaceW-I" / "meta_data" / f"{kind}_pairs.mat", {"pairs": cells})


def _read_families(folder: Path) -> object:
    """The tables, what is derived from them, and the list of what `prepare` would do."""
    from kinlib import families
    from kinlib.families import tables
    from kinlib.families.splits import split
    from kinlib.prepare import list_photos

    found = families.read(folder)
    triples = families.trios.build(found)
    families.trios.pair_images(triples, how="min")
    for derive in (tables.couples, tables.houses, tables.extended_families, tables.sex_split, tables.roles):
        derive(found)
    split(found)
    listing = list_photos(folder)
    for photo in listing.photos:
        assert (folder / photo.image).resolve().is_relative_to(folder.resolve()) or "\\" in photo.image
        assert ".." not in Path(photo.aligned).parts and not Path(photo.aligned).is_absolute()
    return found.problem_counts(), tables.KINDS.keys() >= found.problem_counts().keys()


def _picture(path: Path, seed: int, size: tuple[int, int] = (24, 24)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (*size[::-1], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def _make_scut5500(folder: Path) -> None:
    from kinlib.attractiveness.scut_fbp5500 import FIVE, SIXTY

    names = [f"{group}{number}.jpg" for number in (1, 2) for group in ("AF", "AM", "CF", "CM")]
    for seed, name in enumerate(names):
        _picture(folder / "Images" / name, seed)
    rows = [f"{name} {1.5 + number % 4:.6f}" for number, name in enumerate(names)]
    lists = folder / "train_test_files"
    _write(lists / "All_labels.txt", "\r\n".join(rows))
    places = [f"{SIXTY}/{{}}.txt", *(f"{FIVE}/cross_validation_{k}/{{}}_{k}.txt" for k in range(1, 6))]
    for place in places:
        _write(lists / place.format("train"), "\n".join(rows[:5]))
        _write(lists / place.format("test"), "\n".join(rows[5:]))


SHEET = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{}</sheetData></worksheet>'
)


def _make_scut(folder: Path, sheet: bool) -> None:
    import zipfile

    for number in (1, 2, 3):
        _picture(folder / "Crop" / f"SCUT-FBP-{number}.jpg", number)
    rows = [
        ["Image", "Attractiveness label", "Standard Deviation"],
        ["1", "2.5", "0.7"],
        ["2", "3", "0.5"],
        ["3", "1", "1"],
    ]
    if not sheet:
        _write(folder / "SCUT-FBP.csv", "\n".join(",".join(row) for row in rows))
        return
    cells = "".join(
        f'<row r="{r}">' + "".join(f'<c r="{"ABC"[c]}{r}"><v>{cell}</v></c>' for c, cell in enumerate(row)) + "</row>"
        for r, row in enumerate(rows, 1)
    )
    with zipfile.ZipFile(folder / "SCUT-FBP.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", SHEET.format(cells))


def _make_hotornot(folder: Path) -> None:
    for number in range(1, 5):
        _picture(folder / "hotornot_face" / f"{number}.bmp", number)
    for split in range(1, 6):
        rows = [f"{number}.bmp,{number - 2.5},{'train' if number < 4 else 'test'}" for number in range(1, 5)]
        _write(folder / f"eccv2010_split{split}.csv", "\n".join(rows))


def _read_ratings(folder: Path) -> object:
    from kinlib.attractiveness.rating_tables import KINDS
    from kinlib.attractiveness.readers import read

    found = read(folder)
    assert found.summary().keys() <= set(KINDS)
    return found.ratings()


def _make_celeba(folder: Path, csv: bool) -> None:
    names = [f"{number:06d}.jpg" for number in (1, 2, 3)]
    for seed, name in enumerate(names):
        _picture(folder / "img_align_celeba" / name, seed, (178, 218))
    attributes = ["Bald", "Smiling", "Young"]
    if csv:
        _write(
            folder / "list_attr_celeba.csv", "image_id,Bald,Smiling,Young\n" + "".join(f"{n},1,-1,1\n" for n in names)
        )
        _write(folder / "list_eval_partition.csv", "image_id,partition\n" + "".join(f"{n},0\n" for n in names))
        return
    _write(folder / "list_attr_celeba.txt", "\n".join(["3", " ".join(attributes), *(f"{n}  1 -1  1" for n in names)]))
    _write(folder / "list_eval_partition.txt", "".join(f"{n} {i}\n" for i, n in enumerate(names)))
    _write(folder / "identity_CelebA.txt", "".join(f"{n} {i % 2}\n" for i, n in enumerate(names)))


def _read_celeba(folder: Path) -> object:
    from kinlib.training.data.celeba import read_celeba, read_identities, read_pictures

    table = read_celeba(folder)
    read_identities(folder, [path.name for path in table.file])
    return read_pictures(list(table.file), 16)


def _make_celebamask(folder: Path) -> None:
    for number in (0, 1):
        _picture(folder / "CelebA-HQ-img" / f"{number}.jpg", number)
        place = folder / "CelebAMask-HQ-mask-anno" / "0"
        place.mkdir(parents=True, exist_ok=True)
        Image.new("L", (512, 512), 255).save(place / f"{number:05d}_hair.png")
    _write(folder / "CelebAMask-HQ-attribute-anno.txt", "2\nBald Young\n0.jpg  1 -1\n1.jpg -1  1\n")
    mapping = "idx  orig_idx  orig_file\n0  119613  119614.jpg\n1  99094  099095.jpg\n"
    _write(folder / "CelebA-HQ-to-CelebA-mapping.txt", mapping)


def _read_celebamask(folder: Path) -> object:
    from kinlib.training.data.celebamask import read_celebamask, read_parts

    table = read_celebamask(folder)
    return [read_parts(folder, number) for number in table.number[:2]]


LISTS = ("families.readers.read", "families.family101.read", "families.fiw.read", "families.kinfacew.read")
LISTS += ("families.source.read_lines", "families.fiw_matrix.read_matrix", "families.tskinface.read")
LISTS += ("families.ff_database.read", "families.tables.FamilyTables.load_image")
RATED = ("attractiveness.readers.read",)
CELEBA, CELEBAMASK = ("training.data.celeba.read_celeba",), ("training.data.celebamask.read_celebamask",)
SEARCH = ("search.by_picture.PictureSearch",)
REFERENCE = ("evaluation.heredity.reference.load_reference",)
CELEBA, CELEBAMASK = ("training.data.celeba.read_celeba",), ("training.data.celebamask.read_celebamask",)
SEARCH = ("search.by_picture.PictureSearch",)
REFERENCE = ("evaluation.heredity.reference.load_reference",)

READERS: dict[str, Reader] = {
    **_photos(),
    "upload": Reader(_photo("JPEG"), _upload, ("session.read_upload",)),
    "torch_zip": Reader(_container("zip"), _open, ("checkpoints.weights.open_checkpoint",)),
    "torch_pickle": Reader(_container("pickle"), _open, ("checkpoints.tensor_files.read_tensors",)),
    "safetensors": Reader(_container("safetensors"), _open, ("checkpoints.tensor_files.read_tensors",)),
    **_networks(),
    "direction_npy": Reader(_make_npy, _read_npy, ("gan.directions.load_direction",)),
    "predictor": Reader(_make_predictor, _read_predictor, ("faces.landmarks.load_predictor",), share=0.3),
    "gene_pool": Reader(_make_pool, _read_pool, ("inheritance.genes.pool.load_pool",)),
    "session": Reader(_make_session, _read_session, ("search.session.load",), "json"),
    "session_bytes": Reader(_make_session, _read_session, ("search.session.load",)),
    "blend_weights": Reader(_make_weights, _read_weights, ("inheritance.weights_file.load_weights",), "json"),
    "blend_weights_bytes": Reader(_make_weights, _read_weights, ("inheritance.weights_file.load_weights",)),
    "attribute_set": Reader(
        _make_attribute_set, _read_attribute_set, ("editing.attribute_sets.read_attribute_set",), "json"
    ),
    "note": Reader(_make_note, _read_note, ("io.resume.read_note", "io.resume.read_record"), "json"),
    "note_bytes": Reader(_make_note, _read_note, ("io.resume.read_note", "io.resume.read_record")),
    "renders": Reader(_make_renders, _read_renders, ("studio.datasets.renders.load_faces",)),
    "renders_note": Reader(_make_renders, _read_renders, ("studio.datasets.renders.read_facts",), "json", "*.json"),
    "labelled": Reader(_make_renders, _read_labelled, ("training.data.label_maps.load_labelled",)),
    "prepared": Reader(_make_prepared, _read_prepared, ("prepare.table.read_prepared",), names="out/**/*"),
    "prepared_note": Reader(_make_prepared, _read_prepared, ("prepare.run.prepare",), "json", "out/*.json"),
    "picture_search": Reader(_make_search, lambda folder: _search(folder, 2), SEARCH),
    "picture_search_note": Reader(
        _make_search,
        lambda folder: _search(folder, 2),
        SEARCH,
        "json",
        "found/settings.json",
    ),
    "training_run": Reader(_make_run, _read_run, ("training.engine.loop.restore",)),
    "reference_note": Reader(
        _make_reference,
        _read_reference,
        REFERENCE,
        "json",
        "reference.json",
        0.2,
    ),
    "reference": Reader(_make_reference, _read_reference, REFERENCE, share=0.2),
    "family101": Reader(_make_family101, _read_families, LISTS, names="*.txt"),
    "fiw": Reader(_make_fiw, _read_families, LISTS, names="**/mid.csv"),
    "fiw_kaggle": Reader(_make_kaggle, _read_families, LISTS, names="*.csv"),
    "kinfacew": Reader(_make_kinfacew, _read_families, LISTS, names="**/*.mat", share=0.1),  # a process each
    "scut_fbp5500": Reader(_make_scut5500, _read_ratings, RATED, names="**/*.txt"),
    "scut_fbp_xlsx": Reader(lambda folder: _make_scut(folder, True), _read_ratings, RATED, names="*.xlsx"),
    "scut_fbp_csv": Reader(lambda folder: _make_scut(folder, False), _read_ratings, RATED, names="*.csv"),
    "hotornot": Reader(_make_hotornot, _read_ratings, RATED, names="*.csv"),
    "celeba": Reader(lambda folder: _make_celeba(folder, False), _read_celeba, CELEBA),
    "celeba_csv": Reader(lambda folder: _make_celeba(folder, True), _read_celeba, CELEBA),
    "celebamask": Reader(_make_celebamask, _read_celebamask, CELEBAMASK, share=0.5),
}
