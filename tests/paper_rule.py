"""The paper's classes as it words them, in words of our own: independent of the entries."""


def paper_class(teff, log_g):
    """The class of a star, the first that matches, or None."""
    if teff <= 4000 and log_g <= 3.0:
        return "cool_giant"
    if teff <= 5000 and log_g >= 4.0:
        return "cool_dwarf"
    if 4250 <= teff <= 6250:
        return "solar_like"
    if 6500 <= teff <= 9750:
        return "a_f_star"
    return "hot_star" if teff >= 10000 else None
