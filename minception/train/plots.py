"""Pictures: the curves of a run, and a confusion matrix. Each function returns the bytes of a PNG file."""

import io

BLUE, ORANGE = "#1f5fa8", "#d9601a"


def curves(history):
    """Loss and accuracy after each epoch, for training and test images. `history`: the rows of the log."""
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    figure = new_figure(11, 4.5)
    figure.subplots_adjust(left=0.06, right=0.98, bottom=0.12, top=0.92, wspace=0.14)
    epochs = [row["epoch"] for row in history]
    for position, (quantity, title) in enumerate([("loss", "Loss"), ("accuracy", "Accuracy")]):
        axes = figure.add_subplot(1, 2, 1 + position)
        for split, colour in (("train", BLUE), ("test", ORANGE)):
            values = [row[f"{split}_{quantity}"] for row in history]
            text = f"{values[-1]:.1%}" if quantity == "accuracy" else f"{values[-1]:.3f}"
            axes.plot(epochs, values, "o-", color=colour, markersize=4, label=f"{split}, last {text}")
        axes.set_title(title)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.set_xlim(0.5, max(epochs[-1], 2) + 0.5)
        axes.grid(alpha=0.3)
        axes.legend(loc="upper right" if quantity == "loss" else "lower right")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_ylim(0, 1)
    return rendered(figure)


def confusion(matrix, class_names, title):
    """A confusion matrix, coloured by the share of each true class. `matrix`: integer (K, K), rows true classes."""
    count = len(class_names)
    small = count <= 20
    size = 2.5 + (0.62 if small else 0.16) * count
    figure = new_figure(size + 1, size)
    axes = figure.add_subplot()
    shares = matrix / matrix.sum(axis=1, keepdims=True).clip(min=1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    font = 9 if small else 6
    axes.set_xticks(range(count), class_names, rotation=90 if count > 10 else 45, ha="center", fontsize=font)
    axes.set_yticks(range(count), class_names, fontsize=font)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    axes.set_title(title)
    if small:
        for row in range(count):
            for column in range(count):
                colour = "white" if shares[row, column] > 0.5 else "black"
                axes.text(column, row, matrix[row, column], ha="center", va="center", color=colour, fontsize=8)
    figure.colorbar(image, ax=axes, fraction=0.046, label="share of the true class")
    return rendered(figure, bbox_inches="tight")


def new_figure(width, height):
    """A figure of its own canvas: pyplot would keep global state, and look for a window system."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def rendered(figure, format="png", **options):
    """The bytes of a picture file, "png" or "svg"."""
    buffer = io.BytesIO()
    metadata = {"Date": None} if format == "svg" else None  # the same picture gives the same bytes
    figure.savefig(buffer, format=format, dpi=110, metadata=metadata, **options)
    return buffer.getvalue()
