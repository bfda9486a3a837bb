"""What jaxthermo keeps between processes: the folder of the user, and in it XLA's compiled programs."""

import contextlib
import hashlib
import os
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path

import jax

# Programs of the whole test suite take a tenth of this.
MAX_SIZE = 4 * 2**30
# A limit below this would hold a few programs only, and throw them out as fast as they come.
SMALLEST = 2**20
NO_LIMIT = -1
MAX_SIZE_VARIABLE = "JAX_COMPILATION_CACHE_MAX_SIZE"
# Programs that compile faster are not kept: with a limit, and so a lock, reading one back takes 7 ms, as compiling a
# small one does, and writing one takes 15 ms and 20 more for each thousand entries there are.
MIN_COMPILE_SECONDS = 0.1
CPUINFO = Path("/proc/cpuinfo")
# Lines of /proc/cpuinfo that decide which instructions XLA may use (x86, then ARM).
CPU_FIELDS = ("vendor_id", "cpu family", "model", "flags", "CPU implementer", "CPU part", "Features")
# From this jax on XLA loads its own programs without a word.
QUIET_FROM = (0, 12)
# jax's name of the level of its log where nobody has chosen one.
UNSET = "NOTSET"
SETTINGS = (
    "jax_compilation_cache_dir",
    "jax_compilation_cache_max_size",
    "jax_persistent_cache_min_entry_size_bytes",
    "jax_persistent_cache_min_compile_time_secs",
)
ENTRY, TIME, LOCK = "-cache", "-atime", ".lockfile"


def user_folder() -> Path:
    """$JAXTHERMO_CACHE, or the platform's cache folder of the user (on Linux $XDG_CACHE_HOME/jaxthermo)."""
    import platformdirs

    return Path(os.environ.get("JAXTHERMO_CACHE") or platformdirs.user_cache_dir("jaxthermo"))


def enable_cache(folder: str | os.PathLike[str] | None = None, max_size: int | None = None) -> Path:
    """Keep compiled programs on disk, so that the next process loads what this one has compiled.

    Call it once, best before anything is computed; later calls may move the cache. Several processes may share a
    folder: jax locks it, and throws out what was used longest ago where it grows beyond its size.

    folder     where to keep them. Entries lie in a sub-folder for this jaxlib and this kind of processor, since a
               program compiled for another one may crash. None: the folder that jax has been given already
               ($JAX_COMPILATION_CACHE_DIR) as it is, else `xla` in the user's cache folder of jaxthermo
    max_size   bytes on disk, at least 2**20. None: $JAX_COMPILATION_CACHE_MAX_SIZE if set (-1 there is no limit, and
               so no lock, which is faster where many small programs are kept), else 4 GiB
    Returns    the folder that holds the entries
    Raises     ValueError if `folder` cannot be written to, or `max_size` is too small

    On some processors XLA logs an error for each program that it loads, since it takes preferences of its compiler for
    missing instructions (openxla/xla#44565). With a jax that does so XLA's log is muted up to fatal errors, unless
    $TF_CPP_MIN_LOG_LEVEL or `jax_logging_level` is set. What goes wrong still raises.

    JAX's documentation warns of folders that others may write to: entries are programs that will be run.
    """
    given = _setting("jax_compilation_cache_dir")
    if folder is None and given:
        place, named = Path(str(given)), "jax_compilation_cache_dir"
    else:
        base = user_folder() / "xla" if folder is None else Path(folder).expanduser()
        place, named = base.absolute() / fingerprint(), "folder"
    size = _size(max_size)
    _require_writable(place, named)
    if size != NO_LIMIT:
        _mend(place)
    _tell_jax(place, size)
    _mute_false_alarm()
    return place


def fingerprint() -> str:
    """Names the jaxlib and the kind of processor that compiled programs are good for."""
    seen: dict[str, str] = {}
    with contextlib.suppress(OSError):
        for line in CPUINFO.read_text().splitlines():
            name, _, value = line.partition(":")
            seen.setdefault(name.strip(), value.strip())
    fields = [f"{name}:{' '.join(sorted(seen[name].split()))}" for name in CPU_FIELDS if name in seen]
    fields += [platform.system(), platform.machine(), "" if fields else platform.processor()]
    return f"jaxlib-{version('jaxlib')}-{hashlib.sha256('|'.join(fields).encode()).hexdigest()[:12]}"


def entries(folder: Path) -> int:
    """Number of compiled programs in a folder that `enable_cache` returned."""
    return sum(1 for _ in folder.glob(f"*{ENTRY}"))


def _setting(name: str) -> str | int | float | None:
    value: str | int | float | None = getattr(jax.config, name)
    return value


def works() -> bool:
    """Whether jax finds a program that it has just compiled in its cache, tried in a folder of its own."""
    from jax.experimental.compilation_cache import compilation_cache

    before = {name: _setting(name) for name in SETTINGS}
    with tempfile.TemporaryDirectory() as name:
        trial = Path(name)
        try:
            for setting, value in zip(SETTINGS, (str(trial), SMALLEST, -1, 0.0), strict=True):
                jax.config.update(setting, value)
            compilation_cache.reset_cache()
            _compile_something()
            written = {path.name: path.read_bytes() for path in trial.glob(f"*{TIME}")}
            _compile_something()
            # jax notes when it has used an entry, so reading one back changes the time beside it.
            return any((trial / name).read_bytes() != then for name, then in written.items())
        finally:
            for setting, value in before.items():
                jax.config.update(setting, value)
            compilation_cache.reset_cache()


def _compile_something() -> None:
    def cubed(x: jax.Array) -> jax.Array:
        return x * x * x

    # A new function each time, since jax also remembers what it compiled in this process.
    jax.jit(cubed).lower(1.0).compile()


def _size(max_size: int | None) -> int:
    if max_size is None:
        # jax's own default, -1, is no limit: only who sets it in the environment can mean it.
        set_already = int(_setting("jax_compilation_cache_max_size") or 0)
        return MAX_SIZE if set_already == NO_LIMIT and MAX_SIZE_VARIABLE not in os.environ else set_already
    if max_size < SMALLEST:
        raise ValueError(f"`max_size` must be at least {SMALLEST} bytes, but is {max_size}")
    return max_size


def _require_writable(place: Path, named: str) -> None:
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        raise ValueError(f"`{named}` must be a folder that can be written to, but {place} is not ({reason})") from None


def _mend(place: Path) -> None:
    """Remove entries that a killed process left half written.

    jax writes an entry and then the time of its last use. Without that file every later write fails, and half an entry
    would never be replaced.
    """
    import filelock

    # A cache in heavy use is not held up for this; its next user will do it.
    with contextlib.suppress(OSError, filelock.Timeout), filelock.FileLock(place / LOCK, timeout=10):
        for entry in place.glob(f"*{ENTRY}"):
            if not entry.with_name(entry.name.removesuffix(ENTRY) + TIME).exists():
                entry.unlink(missing_ok=True)


def _tell_jax(place: Path, size: int) -> None:
    from jax.experimental.compilation_cache import compilation_cache

    # A threshold that the user has chosen stays.
    chosen = "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" in os.environ
    threshold = _setting(SETTINGS[-1]) if chosen else MIN_COMPILE_SECONDS
    wanted = dict(zip(SETTINGS, (str(place), size, -1, threshold), strict=True))
    changed = any(_setting(name) != value for name, value in wanted.items())
    for name, value in wanted.items():
        jax.config.update(name, value)
    if changed:
        # jax opens its cache once; after this it opens the new one at the next compilation.
        compilation_cache.reset_cache()


def _mute_false_alarm() -> None:
    # jax itself sets the variable to 1, if nobody has.
    chosen = os.environ.get("TF_CPP_MIN_LOG_LEVEL", "1") != "1" or _setting("jax_logging_level") != UNSET
    if not chosen and jax.__version_info__ < QUIET_FROM:
        # This level reaches XLA's log as well as Python's. Only the latter follows when it is taken back.
        jax.config.update("jax_logging_level", "CRITICAL")
        jax.config.update("jax_logging_level", UNSET)
