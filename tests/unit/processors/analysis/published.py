"""Published data sets with known answers, as the sources have them."""

# Bickel, Hammel & O'Connell (1975), Science 187:398: admissions to Berkeley, six largest departments (R: UCBAdmissions).
BERKELEY = {
    "A": ((512, 825), (89, 108)),
    "B": ((353, 560), (17, 25)),
    "C": ((120, 325), (202, 593)),
    "D": ((138, 417), (131, 375)),
    "E": ((53, 191), (94, 393)),
    "F": ((22, 373), (24, 341)),
}
# Charig et al. (1986), BMJ 292:879: success of open surgery and of nephrolithotomy, small and large stones.
KIDNEY = {"small": ((81, 87), (234, 270)), "large": ((192, 263), (55, 80))}
# Good pieces of a day and a night shift, of an easy and a hard product.
SHIFTS = {"easy": ((855, 900), (99, 100)), "hard": ((75, 100), (720, 900))}
# Davies & Goldsmith (1972), Statistical Methods in Research and Production, table 6.1 (R, lme4: Dyestuff).
DYESTUFF = {
    "A": (1545, 1440, 1440, 1520, 1580),
    "B": (1540, 1555, 1490, 1560, 1495),
    "C": (1595, 1550, 1605, 1510, 1560),
    "D": (1445, 1440, 1595, 1465, 1545),
    "E": (1595, 1630, 1515, 1635, 1625),
    "F": (1520, 1455, 1450, 1480, 1445),
}
# Montgomery (2013), Design and Analysis of Experiments, table 3.1: etch rate by power.
ETCH = {
    "160": (575, 542, 530, 539, 570),
    "180": (565, 593, 590, 579, 610),
    "200": (600, 651, 610, 637, 629),
    "220": (725, 700, 715, 685, 710),
}
# NIST StRD, one-way ANOVA, SiRstv: resistivity of silicon by instrument.
SILICON = {
    "1": (196.3052, 196.1240, 196.1890, 196.2569, 196.3403),
    "2": (196.3042, 196.3825, 196.1669, 196.3257, 196.0422),
    "3": (196.1303, 196.2005, 196.2889, 196.0343, 196.1811),
    "4": (196.2795, 196.1748, 196.1494, 196.1485, 195.9885),
    "5": (196.2119, 196.1051, 196.1850, 196.0052, 196.2090),
}
# Benjamini & Hochberg (1995), §3: fifteen p-values of a thrombolysis trial.
THROMBOLYSIS = (
    0.0001,
    0.0004,
    0.0019,
    0.0095,
    0.0201,
    0.0278,
    0.0298,
    0.0344,
    0.0459,
    0.3240,
    0.4262,
    0.5719,
    0.6528,
    0.7590,
    1.0,
)
