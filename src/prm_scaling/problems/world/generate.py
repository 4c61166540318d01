"""Makes sets of embedded problems whose splits share no derivation, by construction."""

from prm_scaling.problems.record import Problem
from prm_scaling.problems.world.domain import Surface
from prm_scaling.problems.world.truth import domain_of, encode_derivation
from prm_scaling.seeds import seed_of, stream

# The split of a problem is a function of its derivation without the words for it, so no two splits can
# share one, whatever the surface: shares of the space of derivations.
SHARES = {"pretrain": (0.0, 0.6), "train": (0.6, 0.8), "validation": (0.8, 0.85), "test": (0.85, 1.0)}
ATTEMPTS = 400


def generate(
    name: str, domain: str, split: str, surface: Surface, steps: tuple[int, int], count: int, modulus: int, seed: int
) -> list[Problem]:
    """``count`` distinct problems of set ``name``.

    Args:
        steps: least and most clauses.
        seed: of the run; problem i of a set is a function of (seed, set, i).

    Raises:
        ValueError: the surface and the steps do not give that many distinct problems.
    """
    world = domain_of(domain, modulus)
    low, high = SHARES[split]
    problems: list[Problem] = []
    seen: set[str] = set()
    for attempt in range(count * ATTEMPTS):
        if len(problems) == count:
            return problems
        rng = stream(seed, "problem", name, attempt)
        # Difficulties come in turn, so that each is equally frequent.
        length = steps[0] + len(problems) % (steps[1] - steps[0] + 1)
        derivation, text = world.sample(rng, length, surface)
        encoded = encode_derivation(derivation, modulus)
        bare = [derivation.start, *((m.op, m.args) for m in derivation.moves)]
        if text in seen or not low <= seed_of("split", bare) / 2**63 < high:
            continue
        seen.add(text)
        value = derivation.start
        for move in derivation.moves:
            value = world.apply(move, value)
        reference, public_inputs = world.grading(rng, derivation, value)
        problems.append(
            Problem(
                id=f"{name}-{len(problems):05d}",
                domain=domain,
                dataset=name,
                split=split,
                template=surface.name,
                text=text,
                reference=reference,
                public_inputs=public_inputs,
                difficulty=length,
                derivation=encoded,
            )
        )
    if len(problems) == count:
        return problems
    raise ValueError(
        f"problems.sets.{name}: only {len(problems)} of {count} distinct problems found with surface "
        f"`{surface.name}` and {steps[0]}-{steps[1]} steps; ask for fewer, or allow more steps or templates"
    )
