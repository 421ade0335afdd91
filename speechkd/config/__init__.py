"""YAML → frozen, typed configuration objects; every error at once with file, line and column."""

from speechkd.config.dump import canonical, diff, diff_leaves, digest, dump_config, flatten, jsonable
from speechkd.config.load import load_config, read_value
from speechkd.config.model import Config, ConfigPath
from speechkd.config.problems import ConfigErrors, Position, Problem
from speechkd.config.schema import has_path

__all__ = [
    "Config",
    "ConfigErrors",
    "ConfigPath",
    "Position",
    "Problem",
    "canonical",
    "diff",
    "diff_leaves",
    "digest",
    "dump_config",
    "flatten",
    "has_path",
    "jsonable",
    "load_config",
    "read_value",
]
