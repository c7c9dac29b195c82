"""Cards in a notebook: the same piano rolls and sound as on the explorer's page, all of it in the notebook's output."""

import functools
from typing import Any

from music_interpret.errors import InputError
from music_interpret.explorer import bundle


@functools.cache
def widget_class() -> Any:
    """`LatentWidget`, a widget that draws the JSON in its `data`.

    Raises:
        InputError: anywidget is not installed.
    """
    try:
        import anywidget
        import traitlets
    except ImportError as error:
        raise InputError(
            f"cards in a notebook need {error.name}; install it with: pip install 'music-interpret[notebook]'"
        ) from None

    class LatentWidget(anywidget.AnyWidget):
        """A latent or a piece; where no widget can be shown, such as in a saved page, its text stands."""

        _esm = bundle.joined("widget.js")
        data = traitlets.Unicode("{}").tag(sync=True)
        text = traitlets.Unicode("")

        def __repr__(self) -> str:
            return self.text

        def _repr_mimebundle_(self, **kwargs: Any) -> Any:
            found = super()._repr_mimebundle_(**kwargs)
            content = found[0] if isinstance(found, tuple) else found
            if content is not None:
                content["text/plain"] = self.text
            return found

    return LatentWidget


def make_widget(data: dict[str, Any], text: str) -> Any:
    """A widget of the data, with the text that stands where it cannot be shown."""
    return widget_class()(data=bundle.to_json(data), text=text)
