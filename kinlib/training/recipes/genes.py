"""Gene networks from renders: StyleGene's training (Li et al. 2023, Eq. 6 to 8), which was never published as code.

Three networks learn together: the image-based encoder, which sees a picture and the true map of its regions, the gene
decoder, and the latent-based encoder, which sees the picture's code w only.

    latent = |w - D(g)|, g sampled from E_img(x, m)                        Eq. 6
    gene   = sum over regions of |mu - mu'| + |sigma - sigma'|             Eq. 7: E_lat(w) against E_img(x, m)
    loss   = latent + gene_weight * gene                                   Eq. 8

Norms are divided by the root of the number of entries, alike in both, so that sizes do not change their ratio.
Optimiser and schedule are those of section 4.1: AdamW, batches of 32, and a learning rate that is halved after each
third of the schedule (there: after 10 of 30 epochs).

The paper does not say whether the gradient of Eq. 7 reaches the image-based encoder. If it does, genes that are the
same for everybody make the loss least, and with 34 regions in the sum that outweighs Eq. 6. So the image-based
encoder's genes are held fixed there; `joint` lets the gradient through.

Beyond the paper, each by its weight:
- `direct`: |w - D(E_lat(w))|, for the genes that are used when children are drawn;
- `cycle`: genes of a child that was put together of two people, against the genes that its code is read to have;
- `regional`: of a face with some regions' genes from another person, pictures inside these regions against the
  owner's, outside of them against the receiver's.

The last two begin after the first third of the schedule.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from tqdm import tqdm

from kinlib.checkpoints import weights
from kinlib.gan.generator import Generator, load_generator
from kinlib.inheritance.genes.files import gene_state
from kinlib.inheritance.genes.image_encoder import ImageGeneEncoder, cell_masks
from kinlib.inheritance.genes.networks import STUDIO, Components, GeneDecoder, GeneEncoder, Genes, GeneSizes
from kinlib.io.face_labels import REGIONS
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.renders import HELD_OUT_EVERY
from kinlib.training.data.kin_codes import encode_set, load_codes
from kinlib.training.data.label_maps import LabelledFaces, load_labelled
from kinlib.training.engine import record
from kinlib.training.engine.gene_losses import cycle_loss, gene_loss, latent_loss, regional_loss
from kinlib.training.engine.loop import Run, batches
from kinlib.training.engine.processes import launch, step
from kinlib.training.engine.settings import TrainSettings

__all__ = ["GeneSettings", "evaluate", "learning_rate", "losses", "train"]

BEFORE_SWAPS = 1 / 3  # of the schedule: genes that say little yet would learn to decode to one face
HALVINGS = 3  # equal parts of the schedule, each at half the learning rate of the one before (4.1: 10 of 30 epochs)
LEAST_PEOPLE = 40  # of which two are held out


@dataclass(kw_only=True)
class GeneSettings(TrainSettings):
    """Train the gene encoder and the gene decoder."""

    run: Path = Path("runs/genes")
    """folder of checkpoints and log"""
    minutes: float = 120.0
    """time this call may take"""
    steps: int = 4000
    """length of the schedule"""
    lr: float = 1e-3
    """learning rate of the first third"""
    gene_weight: float = 1.0
    """weight of Eq. 7 (lambda of Eq. 8)"""
    joint: bool = False
    """let the gradient of Eq. 7 reach the image-based encoder"""
    image_encoder: bool = True
    """learn from pictures and their regions; without, codes alone teach (row 1 of Table 5), and need `direct`"""
    direct: float = 0.0
    """weight of the codes decoded from the latent-based encoder's genes"""
    cycle: float = 0.0
    """weight of the genes read from a child's code against those that it was made of"""
    regional: float = 0.0
    """weight of the pictures of swapped regions"""
    gene_dim: int = STUDIO.gene_dim
    """numbers of a region's genes"""
    components: int = STUDIO.components
    """principal components of W+"""


class GeneNetworks(nn.Module):
    """The three networks; both of W+ share the principal components."""

    def __init__(self, sizes: GeneSizes, picture_size: int):
        super().__init__()
        components = Components(sizes.components, sizes.num_layers * sizes.style_dim)
        self.image = ImageGeneEncoder(sizes, picture_size)
        self.encoder, self.decoder = GeneEncoder(sizes, components), GeneDecoder(sizes, components)


@dataclass
class _Pictures:
    """Pictures with region maps and codes [N, L, 512], in the same order."""

    faces: LabelledFaces
    codes: Tensor

    def batch(self, index: Tensor, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures [B, 3, S, S] in [-1, 1], region maps [B, S, S] and codes [B, L, 512]."""
        pictures = self.faces.images[index].to(device).float() / 127.5 - 1
        return pictures, self.faces.labels[index, 1].to(device), self.codes[index].to(device).float()


def train(settings: GeneSettings) -> None:
    """Encode what has no codes yet, train, resuming from the last checkpoint, and write weights with metrics.

    Raises:
        KinlibError: if no loss teaches the decoder, or the data cannot be used.
    """
    if not (settings.image_encoder or settings.direct):
        raise KinlibError("without the image-based encoder nothing teaches the decoder: give --direct a weight")
    with tqdm(desc=f"encoding {settings.data.name}", unit="part", mininterval=5) as bar:
        for done, bar.total in encode_set(settings.data):
            bar.update(done - bar.n)
    launch(_train, settings)


def _train(settings: GeneSettings, accelerator: Accelerator) -> None:
    device = accelerator.device
    torch.manual_seed(settings.seed)
    training, held_out = (_load(settings.data, part) for part in (False, True))
    networks = _started(settings, training).to(device)
    generator = load_generator(weights.path("studio_generator")).to(device) if settings.regional else None
    parameters = [parameter for parameter in networks.parameters() if parameter.requires_grad]
    optimizer = accelerator.prepare(torch.optim.AdamW(parameters, settings.lr))
    run = Run(settings.run, accelerator, settings.minutes, settings.steps)
    run.restore(networks=networks, optimizer=optimizer)
    calls, rng = run.record_call(asdict(settings)), run.seed(settings.seed)
    order = batches(len(training.codes), settings.batch // accelerator.num_processes, rng)
    while run.going():
        optimizer.param_groups[0]["lr"] = settings.lr * learning_rate(run.progress())
        with accelerator.autocast():
            now = settings if run.progress() >= BEFORE_SWAPS else replace(settings, cycle=0.0, regional=0.0)
            terms = losses(networks, training.batch(next(order), device), now, rng, generator)
        optimizer.zero_grad(set_to_none=True)
        accelerator.backward(sum(terms.values()))
        step(accelerator, optimizer)
        run.advance()
        run.log_losses(terms)
    if run.is_main:
        metrics = evaluate(networks.cpu(), held_out, settings.image_encoder)
        run.log(**record.scalars(metrics))
        people = len(training.faces.person.unique())
        used = {"steps_done": run.step, "pictures_used": len(training.codes), "people": people}
        state = gene_state(networks.encoder, networks.decoder)
        record.write(state, settings.out, "genes", asdict(settings) | used, metrics, calls=calls)


def _load(folder: Path, held_out: bool) -> _Pictures:
    """Pictures of people who are, or are not, held out.

    Raises:
        KinlibError: if there are too few, or the codes are not those of the pictures.
    """
    faces, codes = load_labelled(folder, held_out), load_codes(folder)
    rows = (codes.table.person % HELD_OUT_EVERY == 0) == held_out
    person = torch.from_numpy(codes.table.person[rows].to_numpy(copy=True))
    if not torch.equal(person, faces.person):
        raise KinlibError(f"the codes of '{folder}' are not those of its pictures: delete codes.safetensors there")
    if not held_out and len(faces.person.unique()) < LEAST_PEOPLE:
        raise KinlibError(f"'{folder}' shows too few people: render {LEAST_PEOPLE} or more")
    return _Pictures(faces, codes.codes[torch.from_numpy(rows.to_numpy(copy=True))])


def _started(settings: GeneSettings, training: _Pictures) -> GeneNetworks:
    """Random networks, with the principal components of the training set's codes."""
    sizes = replace(STUDIO, gene_dim=settings.gene_dim, components=settings.components)
    if settings.components >= len(training.codes):
        raise KinlibError(f"{settings.components} components need more than {len(training.codes)} pictures")
    networks = GeneNetworks(replace(sizes, num_layers=training.codes.shape[1]), training.faces.images.shape[-1])
    networks.encoder.components.fit(training.codes)
    return networks


def learning_rate(progress: float) -> float:
    """Share of the first learning rate, from the run's progress in 0..1: halved after each third."""
    return 0.5 ** min(int(HALVINGS * progress), HALVINGS - 1)


def losses(
    networks: GeneNetworks,
    batch: tuple[Tensor, Tensor, Tensor],
    settings: GeneSettings,
    rng: torch.Generator,
    generator: Generator | None = None,
) -> dict[str, Tensor]:
    """The weighted losses of a step, by name.

    Args:
        networks: in training.
        batch: as `_Pictures.batch` gives it.
        settings: for the weights.
        rng: of the noise, and of who gives genes to whom.
        generator: of pictures, for the regional loss.
    """
    pictures, labels, codes = batch
    read, terms = networks.encoder(codes), {}
    if settings.image_encoder:
        seen = networks.image(pictures, cell_masks(labels, networks.encoder.sizes.regions))
        wanted = seen if settings.joint else Genes(*(part.detach() for part in seen))
        terms["latent"] = latent_loss(networks.decoder(seen.sample(rng)), codes)
        terms["gene"] = settings.gene_weight * gene_loss(read, wanted)
    if settings.direct:
        terms["direct"] = settings.direct * latent_loss(networks.decoder(read.sample(rng)), codes)
    if settings.cycle:
        terms["cycle"] = settings.cycle * cycle_loss(networks.encoder, networks.decoder, read, rng)
    if settings.regional:
        found = regional_loss(networks.decoder, generator, read.mean, codes, labels, rng)
        terms["regional"] = settings.regional * found
    return terms


@torch.no_grad()
def evaluate(networks: GeneNetworks, held_out: _Pictures, image_encoder: bool = True, batch: int = 64) -> dict:
    """On held-out people, with the means of genes.

    Args:
        networks: trained.
        held_out: pictures of these people.
        image_encoder: whether the image-based encoder has learned.
        batch: pictures at once.

    Returns:
        Share of the codes' variance that is kept by the principal components, and by genes of either encoder through
        the decoder; and of the variance of image-based genes, the share that latent-based genes explain, by region.
    """
    networks.eval()
    found: dict[str, list[Tensor]] = {"components": [], "latent_genes": [], "read": [], "image_genes": [], "seen": []}
    for index in torch.arange(len(held_out.codes)).split(batch):
        pictures, labels, codes = held_out.batch(index, torch.device("cpu"))
        components, read = networks.encoder.components, networks.encoder(codes).mean
        found["components"].append(components.write(components.read(codes), codes.shape[1]))
        found["read"].append(read)
        found["latent_genes"].append(networks.decoder(read))
        if image_encoder:
            found["seen"].append(networks.image(pictures, cell_masks(labels, networks.encoder.sizes.regions)).mean)
            found["image_genes"].append(networks.decoder(found["seen"][-1]))
    whole = {name: torch.cat(parts) for name, parts in found.items() if parts}
    metrics: dict = {"pictures": len(held_out.codes), "people": len(held_out.faces.person.unique())}
    for name in ("components", "latent_genes", "image_genes"):
        if name not in whole:
            continue
        metrics[f"variance_{name}"] = _explained(whole[name], held_out.codes.float())
    if image_encoder:
        read, seen = whole["read"], whole["seen"]
        metrics["gene_variance"] = _explained(read, seen)
        each = [_explained(read[:, :, i], seen[:, :, i]) for i in range(len(REGIONS))]
        metrics["gene_variance_of"] = {name: round(value, 4) for name, value in zip(REGIONS, each, strict=True)}
    return metrics


def _explained(found: Tensor, wanted: Tensor) -> float:
    """Share of the variance of `wanted` between pictures that `found` explains: 1 at best, 0 for the mean."""
    around = (wanted - wanted.mean(dim=0)).square().sum()
    return float(1 - (found - wanted).square().sum() / around.clamp_min(1e-12))
