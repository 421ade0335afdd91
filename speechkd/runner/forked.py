"""Loaded first, and only, in the process that local workers are forked from: no garbage is collected there.

Modules load a tenth faster that way, and their pages stay shared: a collection in a worker would write into every
object. `pool.start_worker` turns the collector on again in the workers, for what they make themselves.
"""

from __future__ import annotations

import gc

gc.disable()
