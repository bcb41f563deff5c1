# Type checkers read no annotations out of a module that is a single file; they do out of this.
from tui.notebook.face import *  # noqa: F403
from tui.notebook.face import __all__ as __all__
