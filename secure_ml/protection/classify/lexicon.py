"""The dictionary of names and places that `names` looks words up in.

Belongs here: which words are names, places or neither, and where they come from. Must stay out: how a text is read.

Names and places are those of Faker's locales (MIT licence), in every script that it has, so that no list of people is
kept here. Typed in are only words of grammar: titles, forms of streets and companies, words that stand for no name.
"""

import importlib
import pkgutil
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType, ModuleType
from typing import Any

from secure_ml.protection.classify.romanised import romanised

# What a word can be, as bits: several at once, such as a given name that is also a town. Plain integers, since a text
# is a few dozen look-ups and an enumeration's own arithmetic would cost more than all of them.
GIVEN, FAMILY, PLACE, COUNTRY, PLACE_STARTS = 1, 2, 4, 8, 16
COMMON, TITLE, INTRODUCES, WHERE = 32, 64, 128, 256
STREET, STREET_FIRST, UNIT, COMPANY, BODY = 512, 1024, 2048, 4096, 8192
NAME = GIVEN | FAMILY
BITS = 14
"""How many bits the dictionary uses; a reader may use higher ones for what it sees in a text."""
ANY = (1 << BITS) - 1


def word_set(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


_TITLES = """
mr mrs ms mx miss dr prof professor sir madam lady lord dame rev reverend fr father capt captain col colonel sgt lt maj
major gen shri shree sri smt shrimati kumari km late herr frau señor señora sr sra srta monsieur madame mme mlle signor
signora sig dott श्री श्रीमती कुमारी
"""
_STREETS = """
street st road rd avenue ave av lane ln drive dr boulevard blvd close crescent cres court ct terrace terr place pl
square sq parkway pkwy highway hwy way trail circle cir nagar marg sector colony layout vihar enclave salai gali chowk
bazaar bazar puram bagh ganj wadi mohalla society chawl quay mews grove gardens alley row esplanade expressway freeway
utca u ut ter trg cesta ulica vei veien vej gade gata gatan platz strasse weg allee laan plein prospekt rakpart
"""
_STREETS_FIRST = """
rue via viale vicolo calle avenida avda rua strada ulica ul ulitsa piazza plaza praça chemin boulevard avenue allée quai
jalan jl jln paseo camino carrera travessa alameda largo corso impasse route lorong soi
"""
_GLUED_STREETS = (
    "straße", "strasse", "gasse", "weg", "platz", "allee", "laan", "straat", "steenweg", "steeg", "gracht", "dreef",
    "kade", "plein", "vej", "gade", "gatan", "gata", "vägen", "veien", "vegen", "stræde", "torget", "bakken", "tie",
    "katu", "kuja", "polku", "utca", "gaten", "stien", "str", "ufer", "damm", "ring", "singel", "vang", "vænget",
)  # fmt: skip
_UNITS = "suite ste apt apartment flat unit room floor plot house door box hno shop block bldg building wing"
_COMPANIES = """
inc incorporated ltd limited llc llp plc corp corporation gmbh ag kg ohg sa sas sarl srl spa nv bv oy oyj ab as asa aps
pty pvt co kgaa group holdings bank hospital university college institute school ministry association foundation trust
clinic insurance company industries enterprises solutions technologies services systems partners associates consulting
labs laboratories stores motors airlines pharmacy pharmaceuticals council agency society bros brothers sons
"""
_BODIES = "department ministry university bank institute office bureau college church museum"
_INTRODUCES = "name named called names dear hello hi regards sincerely attn attention signed contact spouse nominee"
_WHERE = "in at from to near via visit visited leaving towards outside around inside toward into"
_NO_NAMES = """
a about above after again all also although always am an and another any are around as asked asks at away back be
because been before being below between both branch but by came can cases comment convey could customer date dear dev
did do doc does doesn doing don done down during each early easter edit either else email end ever every excuse faith
fancy fee few fields fine first font for forum fresh from further gates get gets getting go going gone good got grant
guard had handy has have having he hello help her here hers herself hi him himself his holder hook how i if in into is
it its itself judge just last late later let like link ll loan love made maiden mail make many mark marks master may me
meet might mine minor miss more most must my myself name named names need never new next no none nor not now of off
office often ok old on once one only or other our ours out over own parts patience per phone please post press print put
re read real road same said say says see send sent set she should sign signed since sir skip so some soon sorry still
stack such take tell than thank thanks that the their theirs them then there these they this those though through till
to today told tomorrow too took trace under unique unknown until up upon us use used valid ve very via want wants was we
well went were what when where whether which while who whom whose why will with without won word would yes yesterday yet
you young your yours account agreed aadhaar address amount apartment bank bill bills black blue bond brother called
caller calls card clerk client colleague cousin driver landlord neighbor neighbour nurse relative teacher tenant uncle
aunt cash cheque church company contact court credit daily daughter day days debit delta deposit director doctor dose
due employee employer english european father field fight flat floor friend general girl green group guarantor gun
health home hospital house hour hours husband income indian insurance interest internet iban job king land lane
law lawyer letter limited line list lost major man manager march market member men minister money month monthly months
mother nominee north number officer order owner paid pan park parent partner patient pay payment pending person pin
place plan plot police poor prince princess queen rate reach reason received record red rent report response rich rock
rose royal salary school sector security service shop side sister son song south spouse spring star state statement
station store story street summer super team tel temple test thing time title top total town trade transfer true unit
university verified village visit visited wall water way week weeks west white wife winter woman work working year years
zip january february april june july august september october november december monday tuesday wednesday thursday friday
saturday sunday mon tue wed thu fri sat sun jan feb mar apr jun jul aug sep oct nov dec ii iii emi kyc neft rtgs imps
upi atm sms otp noc nach ecs nri
"""
_PARTICLES = word_set("de da do dos das di del della der den van von ten ter la le el al bin ibn bint y e af av")
_PLACE_LISTS = re.compile(
    r"cities|city_names|countries|states|provinces|counties|districts|departments|prefectures|regions|municipalities"
    r"|communes|concelhos|settlements|villages|towns|localities|wilayas|union_territories|cantons|boroughs|region_names"
    r"|metropolitan_cities|distritos|estados"
)
_LETTERS = re.compile(r"[^\W\d_][^\s0-9,.;:()\[\]{}\"/_-]*")
_LONGEST_PLACE = 6
_SHORTEST = 2
_SHORTEST_ROMANISED = 4


def key_of(word: str) -> str:
    """The form in which a word is looked up: lower-case, without accents."""
    if word.isascii():
        return word.lower()
    lowered = unicodedata.normalize("NFKD", word.lower())
    return "".join([c for c in lowered if not "\u0300" <= c <= "\u036f"])


@dataclass(frozen=True)
class Lexicon:
    """Words by key.

    Attributes:
        words: what each word can be.
        places: names of places of several words, by their first word.
        glued: endings of streets written as one word.
        particles: words that stand inside a name, such as "van".
    """

    words: MappingProxyType[str, int]
    places: MappingProxyType[str, tuple[tuple[str, ...], ...]]
    glued: tuple[str, ...] = tuple(sorted({key_of(ending) for ending in _GLUED_STREETS}))
    particles: frozenset[str] = _PARTICLES


@cache
def lexicon() -> Lexicon:
    """Builds the dictionary, once in a process; under a second, and offline."""
    words: dict[str, int] = {}
    _add(words, GIVEN, _listed("person", re.compile("first_name")))
    _add(words, FAMILY, _listed("person", re.compile("last_name")))
    _add_romanised(words)
    places: dict[str, set[tuple[str, ...]]] = {}
    for kind, names in ((PLACE, _places()), (PLACE | COUNTRY, _listed("address", re.compile("countries")))):
        for name in names:
            keys = tuple(key_of(part) for part in _LETTERS.findall(name.split("(")[0]))
            if len(keys) == 1 and len(keys[0]) > _SHORTEST:
                words[keys[0]] = words.get(keys[0], 0) | kind
            elif 1 < len(keys) <= _LONGEST_PLACE:
                places.setdefault(keys[0], set()).add(keys)
    _add(words, PLACE_STARTS, places)
    _add(words, COMMON, (_NO_NAMES, *_common()))
    for kind, typed in (
        (TITLE, _TITLES), (STREET, _STREETS), (STREET_FIRST, _STREETS_FIRST), (UNIT, _UNITS),
        (COMPANY, _COMPANIES), (BODY, _BODIES), (INTRODUCES, _INTRODUCES), (WHERE, _WHERE),
    ):  # fmt: skip
        _add(words, kind, (typed,))
    longest_first = {first: tuple(sorted(several, key=lambda s: (-len(s), s))) for first, several in places.items()}
    return Lexicon(MappingProxyType(words), MappingProxyType(longest_first))


def _add(words: dict[str, int], kind: int, texts: Iterable[str]) -> None:
    for text in texts:
        for part in _LETTERS.findall(text):
            key = key_of(part)
            if len(key) >= _SHORTEST or kind == COMMON:
                words[key] = words.get(key, 0) | kind


def _add_romanised(words: dict[str, int]) -> None:
    """Names that the lists have in Devanagari, as most texts write them; short ones are words of other languages."""
    for word, kind in list(words.items()):
        for spelling in romanised(word):
            if len(spelling) >= _SHORTEST_ROMANISED:
                words[spelling] = words.get(spelling, 0) | kind


def _listed(provider: str, wanted: re.Pattern[str]) -> Iterator[str]:
    """The strings of a provider's lists whose name begins as wanted, in every locale."""
    for locale in _locales(provider):
        for name, values in vars(locale.Provider).items():
            if wanted.match(name) and isinstance(values, (dict, tuple, list)):
                yield from (value for value in values if isinstance(value, str))


def _places() -> Iterator[str]:
    from faker.providers.geo import Provider as Geography

    yield from _listed("address", _PLACE_LISTS)
    for _, _, city, _, zone in Geography.land_coords:
        yield city
        yield zone.rpartition("/")[2].replace("_", " ")


def _common() -> Iterable[str]:
    from faker.providers.lorem.en_US import Provider as English

    return English.word_list


def _locales(provider: str) -> Iterator[ModuleType]:
    package: Any = importlib.import_module(f"faker.providers.{provider}")
    yield package
    for found in pkgutil.iter_modules(package.__path__):
        yield importlib.import_module(f"{package.__name__}.{found.name}")
