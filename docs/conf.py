"""Settings of Sphinx, which makes the site from these pages: `make docs`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import generated_pages

from spectralunmix.version import __version__

generated_pages.write(Path(__file__).parents[1])

project = "spectralunmix"
author = "the spectralunmix developers"
copyright = f"2026, {author}"
release = version = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx-mathjax-offline",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build", "_cards.md", "_site", "jupyter_execute"]
# A reader may have no network either: fonts, styles and MathJax are all files of the site.
html_theme = "furo"
html_title = f"spectralunmix {release}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_extra_path = ["_site"]  # the live pages of the gallery
html_copy_source = False

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
myst_dmath_double_inline = True

# Every time: what is kept from an earlier build could be of other code or other results.
nb_execution_mode = "force"
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say types, shapes and units
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
copybutton_exclude = ".linenos, .gp, .go"
