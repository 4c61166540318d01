"""What a search costs, counted in one place for every strategy alike."""

from dataclasses import dataclass, fields


@dataclass
class Ledger:
    """The cost of one question's search.

    Attributes:
        generated: tokens that the policy sampled.
        prompt_computed: prefix tokens that the policy computed.
        prompt_reused: prefix tokens whose keys and values were already there.
        prm_computed: tokens that the PRM computed.
        prm_reused: tokens that the PRM did not have to compute again.
        policy_calls: requests to the policy.
        prm_calls: requests to the PRM.
        policy_flops: 2 N per computed token (Kaplan et al.), N the policy's non-embedding parameters.
        prm_flops: the same for the PRM, kept apart (Wu et al. count the policy alone).
        generate_seconds: this question's share, by tokens, of the policy's time.
        score_seconds: this question's share, by tokens, of the PRM's time.
    """

    generated: int = 0
    prompt_computed: int = 0
    prompt_reused: int = 0
    prm_computed: int = 0
    prm_reused: int = 0
    policy_calls: int = 0
    prm_calls: int = 0
    policy_flops: float = 0.0
    prm_flops: float = 0.0
    generate_seconds: float = 0.0
    score_seconds: float = 0.0

    def values(self) -> dict[str, float]:
        """The counts by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}
