"""
Tables of the words that callers use for letters and numbers, around them, and for vehicles; all folded.

Spelling alphabets: German with first names (DIN 5009:1996 and older), German with towns (DIN 5009:2022), and NATO's.
"""


def _word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _sign_table(text: str) -> dict[str, tuple[str, ...]]:
    """Parse `word word=SIGN|OTHER`; without a sign it is the word's first letter."""
    table: dict[str, tuple[str, ...]] = {}
    for entry in text.split():
        word, _, signs = entry.partition("=")
        table[word] = tuple(signs.split("|")) if signs else (word[0].upper(),)
    return table


def _numbered(text: str, *, first: int = 0, step: int = 1) -> dict[str, int]:
    """Parse the words of numbers in a row: `null nul | ein eins`."""
    return {word: first + step * i for i, words in enumerate(text.split("|")) for word in words.split()}


SPELLING_WORDS = _sign_table(
    """
    anton aerger=AE berta bertha caesar cesar charlotte=C|CH dora emil friedrich fritz gustav heinrich heinz ida
    jakob jacob julius josef kaufmann konrad karl ludwig martha marta maria nordpol nathan otto oekonom=OE
    paula paul quelle richard samuel siegfried schule=SCH|S eszett=SS theodor toni ulrich uebermut=UE uebel=UE
    viktor victor wilhelm xanthippe xantippe xaver zacharias zeppelin zebra
    aachen=A|AC berlin chemnitz duesseldorf essen frankfurt goslar=G|GS hamburg=H|HH ingelheim jena koeln leipzig
    muenchen nuernberg offenbach=O|OF potsdam quickborn rostock=R|HRO salzwedel=S|SAW tuebingen=T|TUE unna=U|UN
    voelklingen=V|VK wuppertal xanten zwickau
    alfa alpha bravo charlie delta echo foxtrot foxtrott golf hotel india juliett juliet juliette kilo lima mike
    november oscar oskar papa quebec romeo sierra tango uniform whiskey whisky xray yankee zulu
    amsterdam baltimore casablanca daenemark daniel dieter edison erich florida gallipoli havanna italien
    jerusalem kilogramm liverpool madagaskar norwegen oslo paris roma santiago tripoli upsala valencia
    washington york=Y zuerich nikolaus norbert rudolf robert sophie stefan susanne tobias thomas
    """
)
"""Spelling words with their letters, likeliest first. Many are names of people as well."""

LETTER_NAMES = _sign_table(
    "a ah=A be beh=B bee=B b ce ceh=C tse=C zeh=C c de deh=D dee=D d e eh=E ee=E f ef=F eff=F g ge geh=G gee=G h ha "
    "hah=H haa=H i ih=I ie=I j jot jott k ka kah=K kaa=K l el=L ell=L m em=M emm=M n en=N enn=N o oh p pe peh=P pee=P "
    "q ku=Q kuh=Q kuu=Q r er=R err=R s es=S ess=S t te teh=T tee=T u uh v vau fau=V w we weh=W wee=W x ix=X iks=X "
    "y ypsilon ueppsilon=Y z zet zett tset=Z tsett=Z ae=AE oe=OE ue=UE eszett=SS"
)
UNAMBIGUOUS_LETTER_NAMES = _word_set("jot jott zet zett tset tsett vau fau ix iks ypsilon ueppsilon")

DIGIT_WORDS = _numbered(
    "null nul zero | ein eins one | zwei zwo two | drei three | vier four | fuenf funf fuenef five | sechs six | "
    "sieben seven | acht eight | neun nine niner"
)
TEENS = _numbered(
    "zehn ten | elf eleven | zwoelf zwolf twelve | dreizehn thirteen | vierzehn fourteen | fuenfzehn funfzehn fifteen"
    " | sechzehn sechszehn sixteen | siebzehn siebenzehn seventeen | achtzehn eighteen | neunzehn nineteen",
    first=10,
)
GERMAN_TENS = _numbered(
    "zwanzig | dreissig dreizig | vierzig | fuenfzig funfzig | sechzig sechszig | siebzig siebenzig | achtzig | "
    "neunzig",
    first=20,
    step=10,
)
ENGLISH_TENS = _numbered("twenty | thirty | forty | fifty | sixty | seventy | eighty | ninety", first=20, step=10)
BELOW_100 = {**DIGIT_WORDS, **TEENS, **GERMAN_TENS, **ENGLISH_TENS}
MAGNITUDES = {"hundert": 100, "tausend": 1000, "hundred": 100, "thousand": 1000}
DIGIT_PLURALS = _numbered(
    "nullen | einsen einser | zweien zweier | dreien dreier | vieren vierer | fuenfen fuenfer | sechsen sechser | "
    "siebenen siebener | achten achter | neunen neuner"
)
REPETITIONS = _numbered("doppel doppelt doppelte double zweimal zwomal | dreifach triple dreimal | viermal", first=2)

HYPHENS = _word_set("bindestrich strich trennstrich minus hyphen dash")
FILLER_WORDS = _word_set(
    """
    ne aeh aehm eh ehm oehm hm hmm ja jo na nun also und oder ruf rufe anrufen bin bringe gebracht heute gestern
    dann danach noch mal nochmal halt eben so genau gut
    okay ok abholen abgeholt doktor dr
    bitte danke gerne guten tag morgen hallo servus moin gruess gott hi abend
    ich wir sie er es man mir mich uns ihnen ihr ihre ihren mein meine meinen meinem meiner unser unsere unseren sein
    der die das den dem des ein eine einen einem einer dieser diese dieses diesem
    ist sind war waere hat habe haben hatte wird werden wurde kann koennen koennten koennte moechte wollte will soll
    lautet lauten heisst heisse heissen steht stehen fragen frage wissen gehts geht sagen buchstabiere
    in im an am auf aus bei beim fuer mit nach um von vom vor wegen zu zum zur ueber bis hinten vorne hier da dort
    wie was wann wo wer ob nicht schon bereits fertig termin reparatur werkstatt
    kennzeichen kfz nummernschild autonummer autokennzeichen nummer auto wagen fahrzeug pkw amtliche amtliches
    spricht herr herrn frau familie firma name namen fahrer halter kunde kundin
    bindestrich strich trennstrich minus leerzeichen leer abstand pause komma punkt gross grosses grosse klein kleines
    landkreis lkr kanton
    buchstabe buchstaben zahl zahlen ziffer ziffern umlaut saison saisonkennzeichen stadt ort kreis
    endet enden ende endend letzten letzte letzter schluss hoert aufhoert aufhoeren zuletzt endziffern endnummer endung
    plus email mail emailadresse mailadresse adresse
    my the is plate number license licence registration car and then it its name please hello dash hyphen space
    """
)
"""Words that say nothing about the order."""
PLATE_LABELS = _word_set("kennzeichen nummernschild autonummer autokennzeichen kfz plate")
"""A plate follows."""
NAME_LABELS = _word_set("herr herrn frau familie firma mister mr mrs heisse name fahrer halter kunde kundin")
"""A name follows."""
PHONE_LABELS = _word_set(
    """
    telefon telefonnummer handy handynummer mobil mobilnummer rueckrufnummer rufnummer festnetz festnetznummer
    erreichbar vorwahl phone rueckruf tel mobile durchwahl telefons handys telefonnummern handynummern mobiltelefon
    smartphone telefonisch anschluss cell cellphone
    """
)
"""A phone number is beside it."""
ORDER_LABELS = _word_set("auftragsnummer auftragsnr auftrag auftrags vorgangsnummer vorgang ordernummer order")
"""The number of an order is beside it."""
VEHICLE_LABELS = _word_set(
    "auto autos wagen wagens fahrzeug fahrzeugs pkw kennzeichens autokennzeichens nummernschilds car"
)
"""What is said of a vehicle is beside it."""
LAST = _word_set("letzten letzte letzter hinteren last")
DIGIT_NOUNS = _word_set("ziffern stellen zahlen nummern digits")
CORRECTION_WORDS = _word_set("nein nee quatsch falsch korrektur sorry entschuldigung verzeihung sondern stopp no")
COLOR_WORDS = _word_set("rot blau gruen gelb grau weiss silber orange braun beige lila")
VEHICLE_WORDS = COLOR_WORDS | _word_set(
    """
    audi bmw byd citroen cupra dacia ds fiat ford honda hyundai jaguar jeep kia lada land rover lexus lotus mazda mini
    mg mitsubishi nissan opel peugeot polestar porsche renault saab seat skoda smart subaru suzuki tesla toyota volvo vw
    volkswagen mercedes benz polo passat tiguan touran caddy up astra corsa vectra zafira fiesta focus kuga puma clio
    twingo megane ibiza leon ateca octavia fabia kodiaq yaris corolla aygo panda punto fox bora vento gti tdi tsi cdi
    model uhr
    """
)
"""Makes, models and colours that are short enough to be taken for letters of a plate."""
PLATE_SUFFIXES = {"elektro": "E", "elektrisch": "E", "elektroauto": "E", "historisch": "H", "oldtimer": "H"}
"""Words for the letter behind a plate's digits."""
HESITATIONS = _word_set(
    "die der das eine ne aeh aehm ehm hm dann danach noch mal also strich bindestrich minus punkt komma"
)
"""Fillers that don't end a number."""
