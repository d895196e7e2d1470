"""The equations of Kholodenko 2000, as BioModels BIOMD0000000010 has them."""


def cascade_by_hand(p, x, stimulus=1.0):
    """Derivatives of the concentrations of the kinases; the stimulus multiplies the first rate."""
    a, ap, b, bp, bpp, c, cp, cpp = x
    v1 = stimulus * p["V1"] * a / ((1 + (cpp / p["KI"]) ** p["n"]) * (p["K1"] + a))
    v2 = p["V2"] * ap / (p["K2"] + ap)
    v3 = p["k3"] * ap * b / (p["K3"] + b)
    v4 = p["k4"] * ap * bp / (p["K4"] + bp)
    v5 = p["V5"] * bpp / (p["K5"] + bpp)
    v6 = p["V6"] * bp / (p["K6"] + bp)
    v7 = p["k7"] * bpp * c / (p["K7"] + c)
    v8 = p["k8"] * bpp * cp / (p["K8"] + cp)
    v9 = p["V9"] * cpp / (p["K9"] + cpp)
    v10 = p["V10"] * cp / (p["K10"] + cp)
    return [
        v2 - v1, v1 - v2,
        v6 - v3, v3 + v5 - v4 - v6, v4 - v5,
        v10 - v7, v7 + v9 - v8 - v10, v8 - v9,
    ]  # fmt: skip
