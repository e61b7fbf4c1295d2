"""
Towns, districts and bodies that callers say for the district code, folded; `_` is a blank or a hyphen.

Own list, from common knowledge: seats and names of the districts of each code (`district_codes`), the cantons of
Switzerland, and places in Austria. A name that is a common word or first name is left out unless it is a large town.
"""

from collections.abc import Sequence

_TABLE = """
AA aalen ostalbkreis | AB aschaffenburg | AC aachen | AE auerbach | AIB bad_aibling | AIC aichach aichach_friedberg
AK altenkirchen | ALF alfeld | ALZ alzenau | AM amberg | AN ansbach | ANA annaberg annaberg_buchholz | ANK anklam
AOE altoetting | AP apolda | ARN arnstadt | ART artern | AS amberg_sulzbach | ASL aschersleben | AU aue | AUR aurich
AW ahrweiler bad_neuenahr | AZ alzey alzey_worms | A augsburg | BA bamberg | BAD baden_baden
BB boeblingen sindelfingen | BBG bernburg | BC biberach biberach_an_der_riss | BCH buchen_odenwald
BED brand_erbisdorf | BER bernau | BF burgsteinfurt | BGD berchtesgaden | BGL berchtesgadener_land | BH buehl
BI bielefeld | BID biedenkopf | BIN bingen | BIR birkenfeld | BIT bitburg | BK backnang | BKS bernkastel_kues
BLB bad_berleburg | BLK burgenlandkreis | BM bergheim rhein_erft_kreis | BN bonn | BO bochum | BOE boerdekreis
BOR borken | BOT bottrop | BRA brake wesermarsch | BRB brandenburg | BRK bad_brueckenau | BS braunschweig
BT bayreuth | BTF bitterfeld | BUED buedingen | BUL burglengenfeld | BUES buesingen | BZ bautzen | B berlin
C chemnitz | CAS castrop_rauxel | CB cottbus | CE celle | CHA cham | CLP cloppenburg | CLZ clausthal_zellerfeld
CO coburg | COC cochem cochem_zell | COE coesfeld | CR crailsheim | CUX cuxhaven | CW calw | DA darmstadt
DAH dachau | DAN luechow luechow_dannenberg | DAU daun vulkaneifel | DBR bad_doberan | DD dresden
DE dessau dessau_rosslau | DEG deggendorf | DEL delmenhorst | DGF dingolfing | DH diepholz | DI dieburg
DIL dillenburg | DIN dinslaken | DIZ diez | DKB dinkelsbuehl | DL doebeln | DLG dillingen | DM demmin | DN dueren
DO dortmund | DON donauwoerth donau_ries | DU duisburg | DUD duderstadt | DUEW bad_duerkheim | DW dippoldiswalde
DZ delitzsch | D duesseldorf | EA eisenach | EB eilenburg | EBE ebersberg | EBN ebern | EBS ebermannstadt
ECK eckernfoerde | ED erding | EE elbe_elster | EF erfurt | EG eggenfelden | EH eisenhuettenstadt | EI eichstaett
EIC eichsfeld | EIL eisleben | EIN einbeck | EL emsland meppen | EM emmendingen | EMD emden
EMS bad_ems rhein_lahn_kreis | EN ennepe_ruhr_kreis schwelm | ER erlangen | ERB erbach odenwaldkreis
ERH erlangen_hoechstadt | ERK erkelenz | ES esslingen kirchheim_unter_teck | ESW eschwege werra_meissner_kreis
EU euskirchen | EW eberswalde | E essen | FB friedberg wetteraukreis | FD fulda | FDB friedberg_bayern
FDS freudenstadt | FEU feuchtwangen | FF frankfurt_oder | FFB fuerstenfeldbruck | FG freiberg | FI finsterwalde
FL flensburg | FLOE floeha | FN friedrichshafen bodenseekreis | FO forchheim | FR freiburg breisgau_hochschwarzwald
FRG freyung | FRI friesland | FRW bad_freienwalde | FS freising | FT frankenthal | FTL freital | FUE fuerth
FUES fuessen | FZ fritzlar | F frankfurt | GA gardelegen | GAN gandersheim bad_gandersheim
GAP garmisch garmisch_partenkirchen | GC glauchau | GD schwaebisch_gmuend gmuend | GDB gadebusch | GE gelsenkirchen
GEL geldern | GEO gerolzhofen | GER germersheim | GF gifhorn | GG gross_gerau | GHA geithain | GI giessen
GK geilenkirchen | GL bergisch_gladbach gladbach | GLA gladbeck | GM gummersbach oberbergischer_kreis | GMN grimmen
GN gelnhausen | GOA sankt_goar | GOE goettingen | GP goeppingen | GR goerlitz | GRH grossenhain | GRZ greiz
GS goslar | GT guetersloh | GTH gotha | GUB guben | GUN gunzenhausen | GV grevenbroich | GVM grevesmuehlen
GW greifswald | GZ guenzburg | G gera | HA hagen | HAB hammelburg | HAL halle | HAM hamm | HAS hassfurt
HB bremen bremerhaven | HBN hildburghausen | HCH hechingen | HD heidelberg rhein_neckar_kreis | HDH heidenheim
HDL haldensleben | HE helmstedt | HEB hersbruck | HEF bad_hersfeld hersfeld_rotenburg
HEI dithmarschen heide_holstein | HER herne | HET hettstedt | HF herford | HG bad_homburg hochtaunuskreis
HGN hagenow | HGW hansestadt_greifswald | HH hamburg | HHM hohenmoelsen | HI hildesheim | HIG heiligenstadt
HIP hilpoltstein | HK heidekreis soltau | HL luebeck | HM hameln hameln_pyrmont | HMUE hannoversch_muenden muenden
HN heilbronn | HO hof | HOG hofgeismar | HOH hofheim_unterfranken | HOL holzminden | HOM homburg saarpfalz_kreis
HOR horb | HP heppenheim bergstrasse | HR homberg schwalm_eder_kreis | HRO rostock | HS heinsberg
HSK hochsauerlandkreis hochsauerland meschede | HST stralsund | HU hanau | HV havelberg | HVL havelland | HWI wismar
HX hoexter | HY hoyerswerda | HZ harz | H hannover | IGB sankt_ingbert | IK ilm_kreis | IL ilmenau | ILL illertissen
IN ingolstadt | IZ itzehoe steinburg | JE jessen | JL jerichower_land | JUEL juelich | J jena | KA karlsruhe
KB korbach waldeck_frankenberg | KC kronach | KE kempten | KEH kelheim | KEL kehl | KEM kemnath | KF kaufbeuren
KG bad_kissingen | KH bad_kreuznach | KI kiel | KIB kirchheimbolanden donnersbergkreis | KK kempen
KL kaiserslautern | KLE kleve | KM kamenz | KN konstanz | KO koblenz | KOEN koenigshofen | KOET koethen
KOEZ koetzting bad_koetzting | KR krefeld | KRU krumbach | KS kassel | KT kitzingen | KU kulmbach
KUEN kuenzelsau hohenlohekreis | KUS kusel | KW koenigs_wusterhausen | KY kyritz | KYF kyffhaeuserkreis | K koeln
LA landshut | LAN landau_isar | LAU lauf_pegnitz | LB ludwigsburg | LBS bad_lobenstein | LBZ luebz | LC luckau
LD landau | LDK lahn_dill_kreis wetzlar_land | LDS dahme_spreewald | LEO leonberg | LER leer_ostfriesland
LEV leverkusen | LF laufen_salzach | LG lueneburg | LH luedinghausen | LI lindau | LIF lichtenfels
LIP lippe detmold | LL landsberg | LM limburg limburg_weilburg | LN luebben | LOE loerrach | LOS oder_spree
LP lippstadt | LR lahr | LRO landkreis_rostock | LSZ bad_langensalza | LU ludwigshafen rhein_pfalz_kreis
LUEN luenen | LUP ludwigslust ludwigslust_parchim | LWL ludwigslust_land | L leipzig | MA mannheim | MAI mainburg
MAK marktredwitz | MAL mallersdorf | MB miesbach | MC malchin | MD magdeburg | ME mettmann | MED meldorf
MEI meissen | MEK mittlerer_erzgebirgskreis | MER merseburg | MET mellrichstadt | MG moenchengladbach
MGH mergentheim bad_mergentheim | MGN meiningen | MH muelheim | MHL muehlhausen | MI minden minden_luebbecke
MIL miltenberg | MK maerkischer_kreis luedenscheid | MKK main_kinzig_kreis | MM memmingen
MN mindelheim unterallgaeu | MO moers | MOD marktoberdorf | MOL maerkisch_oderland | MON monschau
MOS mosbach neckar_odenwald_kreis | MQ merseburg_querfurt | MR marburg marburg_biedenkopf | MS muenster
MSH mansfeld_suedharz | MSP main_spessart karlstadt | MST mecklenburg_strelitz | MTK main_taunus_kreis hofheim
MTL muldental | MUE muehldorf | MUEB muenchberg | MUER mueritz | MW mittweida | MY mayen | MYK mayen_koblenz
MZ mainz | MZG merzig | M muenchen | NB neubrandenburg | NAB nabburg | NAI naila | ND neuburg neuburg_schrobenhausen
NDH nordhausen | NE neuss | NEA neustadt_aisch | NEC neustadt_coburg
NES neustadt_saale rhoen_grabfeld bad_neustadt | NEW neustadt_waldnaab | NF nordfriesland husum | NH neuhaus
NI nienburg | NK neunkirchen | NM neumarkt | NMB naumburg | NMS neumuenster | NOE noerdlingen
NOH grafschaft_bentheim nordhorn | NOL niederschlesische_oberlausitz | NOM northeim | NOR norden_ostfriesland
NR neuwied | NT nuertingen | NU neu_ulm | NVP nordvorpommern | NW neustadt_weinstrasse | NWM nordwestmecklenburg
NY niesky | NZ neustrelitz | N nuernberg | OA oberallgaeu sonthofen | OAL ostallgaeu | OB oberhausen | OBB obernburg
OCH ochsenfurt | OD bad_oldesloe stormarn | OE olpe | OF offenbach | OG offenburg ortenaukreis
OH ostholstein eutin | OHA osterode | OHV oberhavel oranienburg | OHZ osterholz osterholz_scharmbeck | OL oldenburg
OP opladen | OPR ostprignitz_ruppin neuruppin | OS osnabrueck | OSL oberspreewald_lausitz senftenberg
OVP ostvorpommern | PA passau | PAF pfaffenhofen | PAN pfarrkirchen rottal_inn | PAR parsberg | PB paderborn
PCH parchim | PE peine | PEG pegnitz | PF pforzheim enzkreis | PI pinneberg | PIR pirna | PLOE ploen | PL plauen
PM potsdam_mittelmark | PN poessneck | PR prignitz | PRUE pruem | PS pirmasens | PW pasewalk | PZ prenzlau
P potsdam | QFT querfurt | QLB quedlinburg | RA rastatt | RC reichenbach | RD rendsburg rendsburg_eckernfoerde
RDG ribnitz_damgarten | RE recklinghausen | REG landkreis_regen | REH rehau | REI bad_reichenhall | RG riesa
RH roth | RI rinteln | RID riedenburg | RIE riesa_grossenhain | RL rochlitz | RO rosenheim | ROD roding
ROF rotenburg_fulda | ROL rottenburg | ROT rothenburg | ROW rotenburg_wuemme | RS remscheid | RSL rosslau
RT reutlingen | RU rudolstadt | RUED ruedesheim rheingau_taunus_kreis | RUEG ruegen | RV ravensburg | RW rottweil
RZ ratzeburg herzogtum_lauenburg | R regensburg | SAB saarburg | SAD schwandorf | SAW salzwedel | SB saarbruecken
SBG strasburg | SBK schoenebeck | SC schwabach | SCZ schleiz | SDL stendal | SE segeberg bad_segeberg | SEB sebnitz
SEE seelow | SEF scheinfeld | SEL selb | SFB senftenberg_alt | SFT stassfurt | SG solingen | SGH sangerhausen
SHA schwaebisch_hall | SHG stadthagen schaumburg | SHK saale_holzland_kreis | SHL suhl
SI siegen siegen_wittgenstein | SIG sigmaringen | SIM simmern rhein_hunsrueck_kreis | SK saalekreis
SL schleswig schleswig_flensburg | SLE schleiden | SLF saalfeld | SLK salzlandkreis | SLS saarlouis
SLUE schluechtern | SM schmalkalden schmalkalden_meiningen | SMUE schwabmuenchen | SN schwerin | SO soest
SOB schrobenhausen | SOEM soemmerda | SOG schongau | SOK saale_orla_kreis | SON sonneberg | SP speyer
SPB spremberg | SPN spree_neisse forst | SR straubing straubing_bogen | SRB strausberg | SRO stadtroda
ST steinfurt | STA starnberg | STD stade | STE staffelstein | STL stollberg | SU siegburg rhein_sieg_kreis
SUEW suedliche_weinstrasse | SUL sulzbach_rosenberg | SW schweinfurt | SWA bad_schwalbach | SY syke | SZ salzgitter
SZB schwarzenberg | S stuttgart | TBB tauberbischofsheim main_tauber_kreis | TDO torgau nordsachsen | TE tecklenburg
TET teterow | TF teltow_flaeming | TG torgau | TIR tirschenreuth | TO torgau_oschatz | TOEL bad_toelz toelz
TP templin | TR trier | TS traunstein | TT tettnang | TUE tuebingen | TUT tuttlingen | UE uelzen | UEB ueberlingen
UEM ueckermuende | UER uecker_randow | UFF uffenheim | UH unstrut_hainich_kreis | UL ulm | UL alb_donau_kreis
UM uckermark | UN unna | USI usingen | VAI vaihingen vaihingen_enz | VB vogelsbergkreis | VEC vechta | VER verden
VIB vilsbiburg | VIE viersen | VIT viechtach | VK voelklingen | VOH vohenstrauss | VR vorpommern_ruegen
VS villingen villingen_schwenningen schwenningen schwarzwald_baar_kreis | V vogtland vogtlandkreis | WA waldeck
WAF warendorf | WAN wanne_eickel | WAR warburg | WAT wattenscheid | WB wittenberg | WBS worbis | WDA werdau
WE weimar | WEL weilburg | WEN weiden | WER wertingen | WES wesel | WF wolfenbuettel | WHV wilhelmshaven
WI wiesbaden | WIL wittlich bernkastel_wittlich | WIS wismar_land | WIT witten | WIZ witzenhausen | WK wittstock
WL winsen | WLG wolgast | WM weilheim weilheim_schongau | WMS wolmirstedt | WN waiblingen rems_murr_kreis rems_murr
WND sankt_wendel | WO worms | WOB wolfsburg | WOH wolfhagen | WOL wolfach | WOR wolfratshausen | WOS wolfstein
WR wernigerode | WRN waren_mueritz | WS wasserburg | WSF weissenfels | WST westerstede ammerland | WSW weisswasser
WT waldshut waldshut_tiengen | WTM wittmund | WUE wuerzburg | WUEM waldmuenchen
WUG weissenburg weissenburg_gunzenhausen | WUN wunsiedel | WUR wurzen | WW westerwald westerwaldkreis montabaur
WZ wetzlar | WZL wanzleben | W wuppertal | Z zwickau | ZE zerbst | ZEL zell_mosel | ZI zittau loebau_zittau
ZIG ziegenhain | ZP zschopau | ZR zeulenroda | ZW zweibruecken | ZZ zeitz | OEHR oehringen | ABG altenburg
ABI anhalt_bitterfeld | AH ahaus | ANG angermuende | AT altentreptow | BAR barnim | BIW bischofswerda | BNA borna
BOH bocholt | BSB bersenbrueck | BSK beeskow | BUER bueren | BUEZ buetzow | CA calau | EIS eisenberg
ERZ erzgebirgskreis | FOR forst_lausitz | GNT genthin | GRA grafenau | GRI bad_griesbach | GRM grimma | GUE guestrow
HBS halberstadt | HC hainichen | HOES hoechstadt | HOT hohenstein_ernstthal | KLZ kloetze | LIB bad_liebenwerda
LOEB loebau | MAB marienberg | MEG melsungen | MEL melle | ML mansfelder_land | MSE mecklenburgische_seenplatte
NAU nauen | NEB nebra | NP neuruppin | OC oschersleben | OVI oberviechtach | OZ oschatz | RN rathenow
ROK rockenhausen | RP rhein_pfalz_kreis | SAN stadtsteinach | SLZ bad_salzungen | STB sternberg
VG vorpommern_greifswald | WAK wartburgkreis | WTL wittlage | Y bundeswehr | BP bundespolizei
BD bundesdienststelle bundestag | THW technisches_hilfswerk | X nato | ZH zuerich | BE bern | LU luzern | SZ schwyz
ZG kanton_zug | FR fribourg | SO solothurn | BS basel basel_stadt | BL basel_land baselland | SH schaffhausen
SG sankt_gallen | GR graubuenden | AG aargau | TG thurgau | TI tessin | VD waadt | VS wallis | NE neuenburg
GE genf | GL glarus | UR kanton_uri | W wien | L linz | G graz | B bregenz | I innsbruck | DO dornbirn
FK feldkirch | KU kufstein | BZ bludenz | S salzburg
"""
_LOCATIONS = frozenset(
    """
    neckar main rhein donau lahn ruhr saale spree oder havel iller isar inn lech elbe weser aller enz rems murr
    fils teck breisgau schwarzwald allgaeu taunus hunsrueck eifel harz odenwald westfalen bayern sachsen
    thueringen holstein baden wuerttemberg lippe ems leine werra fulda mosel saar nahe pfalz weinstrasse bodensee
    sieg ilm ries riss unterfranken tauber wuemme aisch pegnitz jagst kocher nagold naab paar glan blies unstrut
    mulde wald alb schwaben see
    """.split()  # noqa: SIM905 - 70 strings in a list are not read by anyone
)
"""What may follow a town, after `_LINKS`: `am Neckar`, `an der Donau`."""
_LINKS = frozenset(["am", "im", "in", "an", "der", "ob", "bei", "vor", "auf"])


def _parse_table(table: str) -> dict[str, dict[tuple[str, ...], tuple[str, ...]]]:
    """By the first word: all words, and the codes."""
    found: dict[str, dict[tuple[str, ...], tuple[str, ...]]] = {}
    for entry in table.replace("\n", "|").split("|"):
        code, *names = entry.split() or [""]
        for name in names:
            words = tuple(name.split("_"))
            same_start = found.setdefault(words[0], {})
            same_start[words] = (*same_start.get(words, ()), code)
    return found


_TOWNS = _parse_table(_TABLE)


def match_town(words: Sequence[str]) -> tuple[tuple[str, ...], int] | None:
    """
    The codes (as keys, likeliest first) of the town that folded words begin with, and how many of them name it:
    `esslingen am neckar` is `ES`.
    """
    first = "sankt" if words[0] == "st" else words[0]
    found = {
        len(name): codes for name, codes in _TOWNS.get(first, {}).items() if name[1:] == tuple(words[1 : len(name)])
    }
    if not found:
        return None
    used = max(found)
    return found[used], used + _count_location_words(words[used:])


def _count_location_words(words: Sequence[str]) -> int:
    links = next((i for i, word in enumerate(words[:3]) if word not in _LINKS), 0)
    return links + 1 if links and words[links] in _LOCATIONS else 0
