"""What a run shows while it computes: a bar for each epoch on stderr, a table row for each epoch on stdout."""

import shutil
import sys
import time
from contextlib import contextmanager

COLUMNS = (
    ("epoch", "epoch", "5d"),
    ("learning_rate", "lr", "10.3g"),
    ("train_loss", "train loss", "10.4f"),
    ("train_accuracy", "train acc", "9.2%"),
    ("test_loss", "test loss", "9.4f"),
    ("test_accuracy", "test acc", "8.2%"),
    ("images_per_second", "images/s", "8.0f"),
    ("seconds", "seconds", "7.1f"),
)
BAR = "{desc} {percentage:3.0f}%|{bar}| {rate_noinv_fmt}, {remaining} left{postfix}"
PLAIN_INTERVAL = 30.0  # seconds between plain lines where stderr is no terminal


class Progress:
    """Reports on a run. With `bars` False nothing goes to stderr; without a terminal, a plain line now and then."""

    def __init__(self, bars=True):
        self._bars = bars and sys.stderr.isatty()
        self._plain = bars and not self._bars
        self._bar = None
        self._header_printed = False

    @contextmanager
    def epoch(self, state, epochs, images):
        """Show one epoch of a TrainingState, of `epochs` in all; it trains on `images` images."""
        self._title = f"epoch {state.epoch + 1}/{epochs}"
        self._images = images
        self._began = self._last_line = time.monotonic()
        self._images_before = state.totals.images
        if self._bars:
            from tqdm import tqdm

            columns, lines = shutil.get_terminal_size()  # tqdm would show nothing where the size is unknown
            self._bar = tqdm(
                desc=self._title,
                total=images,
                initial=state.totals.images,
                unit=" images",
                bar_format=BAR,
                ncols=columns - 1,
                nrows=lines,
                leave=False,
                file=sys.stderr,
            )
        try:
            yield
        finally:
            if self._bar is not None:
                self._bar.close()
                self._bar = None

    def step(self, totals, images):
        """Show a step of `images` images; `totals` are the epoch's Totals after it."""
        if self._bar is not None:
            self._bar.set_postfix_str(f"loss {totals.mean_loss:.3f}, acc {totals.accuracy:.1%}", refresh=False)
            self._bar.update(images)
        elif self._plain and time.monotonic() - self._last_line >= PLAIN_INTERVAL:
            self._last_line = time.monotonic()
            rate = (totals.images - self._images_before) / max(self._last_line - self._began, 1e-9)
            left = (self._images - totals.images) / rate
            print(
                f"{self._title}: {totals.images}/{self._images} images, loss {totals.mean_loss:.3f}, "
                f"acc {totals.accuracy:.1%}, {rate:.0f} images/s, {_clock(left)} left",
                file=sys.stderr,
                flush=True,
            )

    def testing(self):
        """Show that the epoch's steps are done and the test images are next."""
        if self._bar is not None:
            self._bar.set_postfix_str("testing")

    def row(self, row):
        """Print a row of the log to stdout, after the header if it is the first."""
        if not self._header_printed:
            self._header_printed = True
            print("  ".join(f"{title:>{_width(form)}}" for _, title, form in COLUMNS))
        print("  ".join(f"{row[key]:{form}}" for key, _, form in COLUMNS), flush=True)


def note(message):
    """Print a message for the user to stderr."""
    print(message, file=sys.stderr, flush=True)


def _width(form):
    return form.partition(".")[0].rstrip("d")


def _clock(seconds):
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}:{seconds:02d}"
