"""Biology: metagenes and classes, AnnData, mutational signatures, under one name.

``from nonneg.apps import bio``, then `bio.Metagenes`, `bio.nmf`, `bio.Signatures`.
"""

from __future__ import annotations

from nonneg.apps.anndata_nmf import nmf
from nonneg.apps.metagenes import Metagenes
from nonneg.apps.signatures import Signatures, refit_signatures

__all__ = ["Metagenes", "Signatures", "nmf", "refit_signatures"]
