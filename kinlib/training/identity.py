"""The studio's identity embedder: ArcFace (Deng et al. 2019, equation 3) on rendered people, a few views of each."""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinlib.faces.identity import IdentityNet
from kinlib.training import record
from kinlib.training.augment import Augmentation
from kinlib.training.data import FaceSet, load_faces
from kinlib.training.loop import Run, Workers, batches, launch, precision, use_channels_last

__all__ = ["ArcFace", "IdentitySettings", "evaluate", "train"]


@dataclass
class IdentitySettings:
    """Train the identity embedder."""

    data: Path
    """folder of Parquet files with aligned faces"""
    out: Path
    """folder that receives identity.safetensors and identity.json"""
    run: Path = Path("runs/identity")
    """folder of checkpoints and log"""
    minutes: float = 60.0
    """time this call may take"""
    steps: int = 3000
    """length of the schedule"""
    batch: int = 64
    """pictures in a step"""
    rate: float = 2e-3
    """highest learning rate"""
    margin: float = 0.35
    """ArcFace's additive angular margin, radians"""
    scale: float = 24.0
    """ArcFace's scale of the logits"""
    seed: int = 0
    """of weights, batches and augmentation"""
    device: str = "cpu"
    """cpu or cuda"""
    workers: int = 1
    """processes, one thread each; 2 for two cores"""


class ArcFace(nn.Module):
    """Softmax over people with an angular margin: embeddings [B, D], labels [B] -> loss."""

    def __init__(self, people: int, embedding: int, margin: float, scale: float):
        super().__init__()
        self.centres = nn.Parameter(F.normalize(torch.randn(people, embedding), dim=1))
        self.margin, self.scale = margin, scale

    def forward(self, embeddings: Tensor, labels: Tensor, margin_share: float = 1.0) -> Tensor:
        cosine = (embeddings @ F.normalize(self.centres, dim=1).t()).clamp(-1 + 1e-6, 1 - 1e-6)
        angle = torch.acos(cosine.gather(1, labels[:, None]))
        target = torch.cos((angle + self.margin * margin_share).clamp(max=torch.pi))
        return F.cross_entropy(self.scale * cosine.scatter(1, labels[:, None], target), labels)


def train(settings: IdentitySettings) -> None:
    """Train, going on from the last checkpoint, and write the weights with their recipe and figures."""
    launch(_train, settings, settings.workers)


def _train(settings: IdentitySettings, workers: Workers) -> None:
    device = torch.device(settings.device)
    torch.manual_seed(settings.seed)
    training, held_out = load_faces(settings.data).split()
    labels = torch.from_numpy(training.table.person.astype("category").cat.codes.to_numpy().astype("int64"))
    net = use_channels_last(IdentityNet()).to(device)
    head = ArcFace(int(labels.max()) + 1, 512, settings.margin, settings.scale).to(device)
    optimiser = torch.optim.AdamW([*net.parameters(), *head.parameters()], settings.rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.rate, settings.steps, pct_start=0.1)
    run = Run(settings.run, settings.minutes, settings.steps, workers)
    run.keep(net=net, head=head, optimiser=optimiser, schedule=schedule)
    calls, source = run.begin(asdict(settings)), run.randomness(settings.seed)
    augment = Augmentation(net.input_size)
    order = batches(len(training), settings.batch // workers.count, source)
    parameters = [*net.parameters(), *head.parameters()]
    while run.going():
        index = next(order)
        views = augment(training.images[index], training.face[index], source)
        with precision(device):
            embeddings = net(views.source.to(device))
        loss = head(embeddings.float(), labels[index].to(device), min(1.0, 3 * run.progress()))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        workers.average_gradients(parameters)
        optimiser.step()
        schedule.step()
        run.advance()
        if run.step % 100 == 0:
            run.log(loss=loss.item())
    if not workers.leads:
        return
    figures = evaluate(net.eval(), held_out)
    run.log(**figures)
    record.write(net, settings.out, "identity", asdict(settings) | {"steps_done": run.step}, figures, calls=calls)


@torch.no_grad()
def embed_all(net: IdentityNet, images: Tensor, batch: int = 256) -> Tensor:
    """uint8 [N, 3, S, S] -> embeddings [N, 512] on the CPU."""
    device = next(net.parameters()).device
    parts = [net(part.to(device).float() / 127.5 - 1).cpu() for part in images.split(batch)]
    return torch.cat(parts)


def evaluate(net: IdentityNet, held_out: FaceSet) -> dict[str, float]:
    """On people never trained on: verification AUC over all pairs, and nearest neighbour of view 0 among views 1."""
    from sklearn.metrics import roc_auc_score

    embeddings = embed_all(net, held_out.images)
    person = torch.from_numpy(held_out.table.person.to_numpy(copy=True))
    view = torch.from_numpy(held_out.table["view"].to_numpy(copy=True))
    similarity = embeddings @ embeddings.t()
    same = person[:, None] == person[None]
    upper = torch.triu(torch.ones_like(same), diagonal=1)
    auc = roc_auc_score(same[upper].numpy(), similarity[upper].numpy())
    nearest = similarity[view == 0][:, view == 1].argmax(dim=1)
    found = (person[view == 1][nearest] == person[view == 0]).float().mean()
    return {"verification_auc": float(auc), "identification_rate": float(found), "people": len(person.unique())}
