"""All built-in concepts, in the order of their groups."""

from music_interpret.music.concepts import harmony, key, metre, texture, token
from music_interpret.music.concepts.concept import Concept, concepts_of

BUILT_IN: tuple[Concept, ...] = tuple(
    concept for module in (token, metre, harmony, key, texture) for concept in concepts_of(module)
)
