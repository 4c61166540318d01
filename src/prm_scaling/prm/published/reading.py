"""A published PRM reads the policy's chains: their text, put as its release puts it."""

from collections.abc import Mapping, Sequence

from transformers import PreTrainedTokenizerBase

from prm_scaling.engines.interface import Score, Scored, Scorer
from prm_scaling.prm.published.form import LayOut


class PublishedScorer:
    """Scores the policy's tokens with a PRM that wants its own tokens and marks.

    A path and one that goes on from it begin with the same tokens in the PRM's form too, so that its engine computes
    what is new only.
    """

    def __init__(
        self,
        scorer: Scorer,
        policy: PreTrainedTokenizerBase,
        prm: PreTrainedTokenizerBase,
        lay_out: LayOut,
        questions: Mapping[tuple[int, ...], str],
    ):
        """``questions`` maps a prompt in the policy's tokens to the question's text."""
        self._scorer, self._policy, self._prm = scorer, policy, prm
        self._lay_out, self._questions = lay_out, questions

    @property
    def context(self) -> int:
        """Of the PRM, in its own tokens."""
        return self._scorer.context

    @property
    def halvings(self) -> int:
        """Of the PRM's engine."""
        return self._scorer.halvings

    def forget(self) -> None:
        """See :class:`prm_scaling.engines.interface.Scorer`."""
        self._scorer.forget()

    def score(self, requests: Sequence[Score]) -> list[Scored]:
        """See :class:`prm_scaling.engines.interface.Scorer`; tokens are counted as the PRM's.

        Raises:
            KeyError: of a prompt that it was not told.
        """
        return self._scorer.score([self._laid_out(request) for request in requests])

    def _laid_out(self, request: Score) -> Score:
        prompt = request.tokens[: request.prompt]
        if prompt not in self._questions:
            raise KeyError(f"the prompt {prompt[:8]}... of {len(prompt)} tokens has no question for the PRM")
        starts = (request.prompt, *(p + 1 for p in request.positions))
        spans = zip(starts, request.positions, strict=False)
        # The release's own mark stands in place of the policy's separator.
        steps = [self._policy.decode(list(request.tokens[a : b + 1])).strip("\n").rstrip() for a, b in spans]
        tokens, positions = self._lay_out(self._prm, self._questions[prompt], steps)
        return Score(tokens, positions, tree=request.tree)
