"""All built-in concepts, in the order of their groups."""

from music_interpret.music.concepts import form, harmony, key, metre, texture, token, voice
from music_interpret.music.concepts.concept import Concept, concepts_of

BUILT_IN: tuple[Concept, ...] = tuple(
    concept for module in (token, metre, voice, harmony, key, texture, form) for concept in concepts_of(module)
)
