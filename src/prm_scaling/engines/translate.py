"""A PRM with another tokenizer than the policy's: text is mapped step by step, so that scores stay at steps."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from transformers import PreTrainedTokenizerBase

from prm_scaling.engines.interface import Score, Scored, Scorer


def same_tokens(one: PreTrainedTokenizerBase, other: PreTrainedTokenizerBase) -> bool:
    """Whether two tokenizers number the same tokens alike."""
    return one is other or one.get_vocab() == other.get_vocab()


class TranslatingScorer:
    """Scores the policy's tokens with a PRM that has tokens of its own.

    The text of each step is tokenized for itself, as text: a step ends with a token of the PRM's, where its reward is
    read, and a special token's name in it is no control token. The prompt is the question as the PRM's own template
    puts it.
    """

    def __init__(
        self,
        scorer: Scorer,
        policy: PreTrainedTokenizerBase,
        prm: PreTrainedTokenizerBase,
        prompts: Mapping[tuple[int, ...], tuple[int, ...]],
    ):
        """``prompts`` maps a prompt in the policy's tokens to the same question's in the PRM's."""
        self._scorer, self._policy, self._prm, self._prompts = scorer, policy, prm, prompts
        self._pieces: dict[tuple[int, ...], tuple[int, ...]] = {}

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
        self._pieces.clear()
        self._scorer.forget()

    def score(self, requests: Sequence[Score]) -> list[Scored]:
        """See :class:`prm_scaling.engines.interface.Scorer`; tokens are counted as the PRM's.

        Raises:
            KeyError: of a prompt that it was not told.
        """
        results = self._scorer.score([self._translated(request) for request in requests])
        return [replace(result, translated=True) for result in results]

    def _translated(self, request: Score) -> Score:
        prompt = request.tokens[: request.prompt]
        if prompt not in self._prompts:
            raise KeyError(f"the prompt {prompt[:8]}... of {len(prompt)} tokens has no translation for the PRM")
        tokens, positions = list(self._prompts[prompt]), []
        starts = (request.prompt, *(p + 1 for p in request.positions))
        for start, position in zip(starts, request.positions, strict=False):
            tokens += self._piece(request.tokens[start : position + 1])
            positions.append(len(tokens) - 1)
        return Score(tuple(tokens), tuple(positions), len(self._prompts[prompt]), request.tree)

    def _piece(self, tokens: tuple[int, ...]) -> tuple[int, ...]:
        if tokens not in self._pieces:
            text = self._policy.decode(list(tokens))
            read = self._prm(text, add_special_tokens=False, split_special_tokens=True).input_ids
            self._pieces[tokens] = tuple(read)
        return self._pieces[tokens]
