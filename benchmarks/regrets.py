"""What `rivals.jsonl` says: the regret of picking as a run picks, and the picked strategy beside its peers.

**Regret**, cross-fitted: the strategy that is best on one half of the test images (whole groups) is scored on the other
half, and what the picked one scores there is subtracted; then the halves change places. Taking the best of many on the
images that it is then scored on would call luck a regret.

Chance: in every draw the halves are new, and inside each half groups are drawn with replacement, and seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from panel import of_today, rows
from rivals import PEERS, PLANS, RIVALS, SEEDLESS

DRAWS = 2000
OF_BLOCKS = {f"plan {blocks}" for blocks in PLANS if blocks != "all"}
Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Tested:
    """What is known of one set and seed: 1 where a strategy was right, else 0, by name."""

    seed: int
    labels: np.ndarray
    groups: np.ndarray  # a number for each independent unit of images
    balanced: bool  # whether balanced accuracy decides, else accuracy
    picked: str
    plans: dict[str, np.ndarray]
    peers: dict[str, np.ndarray]
    stopped: dict[str, int]  # peers that were not finished, and after how many seconds

    def score(self, right: np.ndarray, times: np.ndarray) -> float:
        """Accuracy or balanced accuracy with every image counted so many times."""
        if not self.balanced:
            return float(right @ times / times.sum())
        weight = np.bincount(self.labels, weights=times)
        found = np.bincount(self.labels, weights=right * times)
        return float(np.mean(found[weight > 0] / weight[weight > 0]))


def tested() -> dict[str, dict[str, list[Tested]]]:
    """By budget (with its cores) and set, an entry a seed; the peers that know no seed are in every entry.

    A run counts once the plans of some blocks have been measured beside it, by the same protocol: before, it would
    regret nothing. While that is so of no run of today's protocol, those of earlier ones count.
    """
    every = rows(RIVALS)
    complete = [run for run in every if run["side"] == "run" and _sides(_beside(run, every)).issuperset(OF_BLOCKS)]
    found: dict[str, dict[str, list[Tested]]] = {}
    for run in of_today(complete):
        found.setdefault(_allowed(run), {}).setdefault(run["set"], []).append(_tested(run, every))
    return found


def _tested(run: Row, every: Sequence[Row]) -> Tested:
    """A run, its plans and its peers."""
    kept = [place for place, bit in enumerate(run["right"][run["picked"]]) if bit != "-"]
    plans = {name: run["right"][name] for name in run["right"] if name in run["deliverable"]}
    for row in _beside(run, every):
        if row["side"].startswith("plan "):
            plans = row["right"] | plans  # the run's own model counts where there are two
    beside = [
        row
        for row in every
        if row["set"] == run["set"]
        and (row["side"] in SEEDLESS or (row["side"] in PEERS and row["seed"] == run["seed"]))
    ]
    groups = np.array([group if group >= 0 else -2 - place for place, group in enumerate(run["groups"])])
    return Tested(
        seed=run["seed"],
        labels=np.array(run["labels"])[kept],
        groups=np.unique(groups[kept], return_inverse=True)[1],
        balanced=run["metric"] == "balanced accuracy",
        picked=run["picked"],
        plans={name: _numbers(bits, kept) for name, bits in plans.items()},
        peers={f"{row['side']} {name}": _numbers(bits, kept) for row in beside for name, bits in row["right"].items()},
        stopped={f"{row['side']} {name}": row["peer_limit"] for row in beside for name in row.get("unfinished", [])},
    )


def _beside(run: Row, every: Sequence[Row]) -> list[Row]:
    """What was measured of the same set and seed, with the same budget and cores, by the same protocol."""
    mine = (run["set"], run["seed"], _allowed(run), run.get("protocol"))
    return [row for row in every if (row["set"], row["seed"], _allowed(row), row.get("protocol")) == mine]


def _sides(found: Sequence[Row]) -> set[str]:
    return {row["side"] for row in found}


def _allowed(row: Row) -> str:
    """The budget, and the cores that it was spent on."""
    return f"{row.get('budget')} on {row['cores']} core{'' if row['cores'] == 1 else 's'}"


def _numbers(bits: str, kept: list[int]) -> np.ndarray:
    return np.array([bits[place] == "1" for place in kept], np.float64)


def drawn_times(groups: np.ndarray, among: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """How often every image counts when the groups `among` are drawn with replacement."""
    times = np.bincount(rng.choice(among, size=len(among)), minlength=groups.max() + 1)
    return times[groups].astype(np.float64)


def regrets(seeds: Sequence[Tested], rng: np.random.Generator, *, resample: bool) -> np.ndarray:
    """The cross-fitted regret of a set, one value a draw; without resampling only the halves vary."""
    found = []
    for _ in range(DRAWS):
        groups = seeds[0].groups
        order = rng.permutation(groups.max() + 1)
        halves = [order[: len(order) // 2], order[len(order) // 2 :]]
        times = [
            drawn_times(groups, half, rng) if resample else np.isin(groups, half).astype(np.float64) for half in halves
        ]
        chosen = rng.integers(len(seeds), size=len(seeds)) if resample else range(len(seeds))
        found.append(np.mean([_regret(seeds[number], times) for number in chosen]))
    return np.array(found)


def _regret(one: Tested, times: list[np.ndarray]) -> float:
    """Mean over both directions."""
    both = []
    for seen, fresh in (times, times[::-1]):
        best = max(one.plans, key=lambda name: one.score(one.plans[name], seen))
        both.append(one.score(one.plans[best], fresh) - one.score(one.plans[one.picked], fresh))
    return float(np.mean(both))


@dataclass(frozen=True, kw_only=True)
class PeerGain:
    """What was picked less a peer, on one set or on the mean of all, as fractions.

    Attributes:
        peer: Which.
        name: The set, or ``mean``.
        seeds: How many runs it rests on; 0 for the mean.
        gain: Mean over the seeds, with the interval from `low` to `high`: 95 % divided among the peers (Bonferroni).
    """

    peer: str
    name: str
    seeds: int
    gain: float
    low: float
    high: float


def gains_over_peers(sets: dict[str, list[Tested]]) -> list[PeerGain]:
    """Each peer on each set that it was finished on, and on their mean."""
    peers = list(dict.fromkeys(peer for seeds in sets.values() for one in seeds for peer in one.peers))
    tail, found = 0.025 / max(1, len(peers)), []
    rng = np.random.default_rng(0)
    for peer in peers:
        every = {name: [one for one in seeds if peer in one.peers] for name, seeds in sets.items()}
        mine = {name: seeds for name, seeds in every.items() if seeds}
        draws = {name: drawn_gains_over(seeds, peer, rng) for name, seeds in mine.items()}
        points = {name: gain_over(seeds, peer) for name, seeds in mine.items()}
        if len(mine) > 1:
            draws["mean"], points["mean"] = np.mean(list(draws.values()), axis=0), float(np.mean(list(points.values())))
        for name, point in points.items():
            low, high = (float(end) for end in np.quantile(draws[name], [tail, 1 - tail]))
            found.append(PeerGain(peer=peer, name=name, seeds=len(mine.get(name, ())), gain=point, low=low, high=high))
    return found


def gain_over(seeds: Sequence[Tested], peer: str) -> float:
    """Score of what was picked less that of a peer, mean over the seeds."""
    return _gain(seeds, peer, np.ones(len(seeds[0].groups)))


def drawn_gains_over(seeds: Sequence[Tested], peer: str, rng: np.random.Generator) -> np.ndarray:
    """The same with groups and seeds drawn anew, one value a draw."""
    groups, found = seeds[0].groups, []
    for _ in range(DRAWS):
        times = drawn_times(groups, np.arange(groups.max() + 1), rng)
        chosen = [seeds[number] for number in rng.integers(len(seeds), size=len(seeds))]
        found.append(_gain(chosen, peer, times))
    return np.array(found)


def _gain(seeds: Sequence[Tested], peer: str, times: np.ndarray) -> float:
    each = [one.score(one.plans[one.picked], times) - one.score(one.peers[peer], times) for one in seeds]
    return float(np.mean(each))
