"""A second set of the kinds of `questions_by_kind`, written after the code for those, first asked before it changed."""

from __future__ import annotations

SECOND_SET = {
    "umlaut lost or spelled out": """
tuebingen x-ray foxtrott vier fünf eins | 33
Kennzeichen TU wie Tübingen, XF, 451 | 33
L wie Ludwig, O Umlaut, W E 310 | 35
wue rz zwotausendvierundzwanzig | 40
G O Strich T T 1209 | 36
Guten Morgen, mein Auto hat das Kennzeichen TU XF vierhunderteinundfünfzig | 33
T wie Theodor, U wie Ulrich, X F 451 | 33
to is 83 | 49
TOL-IS 83 | 49
tol is dreiundachtzig | 49
TOEL IS 83 | 49
KON IG eins, nein, SLUE CH 205 | 44
suew pf 61 | 41
Ü wie Übermut, also W Ü, R Z, 2024 | 40
W U R Z 2024 | 40
duew we 21 | 65
DUW-WE 21 | 65
plate=Tu Rm 77 | 34
F Ü strich R T neun null null | 38
MUE-HL84 | 43
""",
    "town for code": """
Göppingen Otto Berta einundsiebzig | 89
Waiblingen, Pe Te, fünfzehn fünfzig | 29
aus Heilbronn, SC 82 | 94
das ist ein Tübinger Kennzeichen, X F 451 | 33
Kennzeichen von Leonberg, N B dreiunddreißig | 55
Vaihingen X dreimal sieben | 32
Vaihingen an der Enz X 777 | 32
Freiburg E I 209 | 26
Freiburg im Breisgau EI neunundzwanzig | 27
Dortmund R T 1221 | 18
Hamburg V F 6 | 16
Karlsruhe T H 17 | 20
Potsdam J W 702 | 21
Ulm, Martha Emil, 501 | 52
Kennzeichen Heilbronn S C zweiundachtzig | 94
Heilbronn Samuel Cäsar 82 | 94
Hechingen... nein Reutlingen V H 100 | 83
Reutlingen Youssef Berta, ähm, Y B 5050 | 95
Künzelsau S U 12 | 37
Ludwigsburg G B siebzehn | 87
Ludwigsburg, Emil Gustav, 445 | 93
das Auto ist in Aalen zugelassen, E H 640 | 97
Main-Taunus-Kreis EL 600 | 64
Hann. Münden AN 7 | 42
Villingen D O 616 | 60
Ostalbkreis E H 640 | 97
Böblingen, V wie Viktor, T wie Theodor, zwo dreißig | 88
Stuttgart Anton Martha vierunddreißig null sechs | 86
Landkreis Esslingen M B zwölf | 91
Bad Toelz IS 83 | 49
Freudenstadt T Z 4 | 51
""",
    "no letters after the district": """
S wie Stuttgart 2042 | 67
Waiblingen Strich 8104 | 66
WN - 8104 | 66
das Feuerwehrauto Waiblingen acht eins null vier | 66
Technisches Hilfswerk 80512 | 71
Bundespolizei 25 118 | 70
Feuerwehr, WN einundachtzig null vier | 66
das Löschfahrzeug WN-8104 | 66
Stuttgart 2042 | 67
Esslingen zwanzig eins siebzehn | 68
Polizei Baden-Württemberg BWL vier siebenhundertfünfzehn | 69
THW achtzig fünf zwölf | 71
WN 0 6 1 2 3 | 82
Waiblingen null sechs eins zwei drei | 82
Konsulatskennzeichen B 92 17 | 75
B zweiundneunzig siebzehn | 75
""",
    "special plates": """
Ypsilon hundertdreiundzwanzigtausend vierhundertsechsundfünfzig | 72
Ypsilon zwölf vierunddreißig sechsundfünfzig | 72
zh 123456 | 76
Zett Ha eins zwo drei vier fünf sechs | 76
Kanton Zürich 123 456 | 76
0-17/14 | 74
Null Strich siebzehn Strich vierzehn, Botschaft | 74
LB-SO 9 Saison April Oktober | 79
ES CA 208 drei zehn | 78
Bundeswehr, Ypsilon, eins zwo drei, vier fünf sechs | 72
Y vierhundertzweiundachtzig neunhundertsiebzehn | 73
Y wie Ypsilon 482917 | 73
null, siebzehn, vierzehn | 74
0 17-14 | 74
Diplomatenkennzeichen 01714 | 74
Schweizer Kennzeichen ZH 123 456 | 76
ZH hundertdreiundzwanzig vierhundertsechsundfünfzig | 76
TG achtundvierzig zwei null eins | 77
Esslingen C A 208, Saison März bis Oktober | 78
LB SO neun, 4 bis 10 | 79
GP-HI 33 H Oldtimer mit Saison | 80
Nato X 1234 | 81
""",
    "names of several words": """
Schmitz-Kroeger | 94
D'Angelo Carmella | 92
Frau Angelo | 92
O'Neill Sinead | 89
Maik Donald | 84
Elke Uptrup | 93
Frau zu Uptrup | 93
van Berg | 88
Herr van-den-Berg | 88
Al-Masri | 86
Teixeira Rosa | 98
Jean-Baptiste | 96
Herr Lefevre | 96
Herr Ben Sala | 95
Katharina Heide | 83
Schulze Bekinghausen | 91
Herr Großbölting | 87
Große-Bölting | 87
Von der Heyde | 83
Frau van der Heide | 83
Heide Katharina | 83
Fiona Mäc Donald | 84
Herr El Masri | 86
Khaled Almasry | 86
de Lucca Paolo | 85
Meyer-Zu-Uptrup | 93
Frau Teixera da Silva | 98
Rosa Teixeira | 98
Schmitz Krüger Edeltraud | 94
Annegret Schulze-Beckinghausen | 91
Hamid Elsayed | 97
Ben-Salah | 95
Jean Batist Lefevre | 96
O Niel, der Clubman | 89
Yildirim Oezguer, Doblo | 90
Dandschelo | 92
""",
    "phone and plate digits": """
Handy endet auf vierundvierzig elf und mein Auto auf dreiundzwanzig neun | 121
zweitausenddreihundertneun am Kennzeichen, 4411 bei der Telefonnummer | 121
Telefon 6001 Kennzeichen 2309 | 122 2
die Nummer vom Handy hinten 2309 und vom Auto 6001 | 123
meine Telefonnummer endet mit 7788 und mein Kennzeichen mit 5544 | 124
meine Telefonnummer hört auf mit 4411 und das Kennzeichen ist hinten 2309 | 121
Kennzeichen zwo drei null neun und vom Handy die letzten vier sind 4411 | 121
2309, Handy 4411 | 121
das Auto endet auf 6001 und meine Nummer auf 2309 | 123
Nummernschild hinten fünfundfünfzig vierundvierzig, Telefon siebenundsiebzig achtundachtzig | 124
7788 am Auto, 5544 am Telefon | 125
Handy letzte vier Ziffern sieben sieben acht acht | 124
name=Uhlig phone=7788 | 124
plate=5544 phone=sieben sieben acht acht | 124
""",
    "colloquial numbers": """
AB oder so, nein ES DL neunhunderteinnzwanzig | 85
ES DL neunhunderteinundzwanzich | 85
RV SU zwoundzwanzich zehn | 50
KN ZE vierzehnhundertzwanzich | 58
S AM vierndreißig null sechs | 86
RT YB fuffzich fuffzich | 95
HN AB fünfhundertfümfunfuffzich | 96
S RT siebzehn achtzehne | 98
S VV fümfunfuffzich vierunvierzich | 124
LB NJ siebnunsiebzich achtunachtzich | 125
SHA LU zwoenvierzich | 46
PF EK sechshunnertsechs | 47
UL ME fünfhunnerteins | 52
AA LN oinasiebzich oinasiebzich | 54
NT RG zwohundertacht | 56
BK NG dreihunnert | 59
VS DO sechshundertsechzehne | 60
EM EN zwounsiebzig | 61
OG KI elfhundertelf | 62
MTK EL sechshunnert | 64
GP OB einunsiebzich | 89
RT VH hunnert | 83
BB VT zwohunnertdreißich | 88
HN SC zweiundachtzsch | 94
LB GB siebzehne | 87
""",
    "hyphen or town decides": """
Berlin B NO 1234 | 3
Bonn BN O 1234 | 4
Hannover H AL 815 | 111
B wie Berlin, N O 1234 | 3
H - AL 815 | 111
E.ST 40 | 113
E Strich ST vierzig | 113
ES minus T 40 | 114
Essen, S T, vierzig | 113
Mainz, A, siebenundsiebzig | 116
M - ZA 77 | 115
Hagen, L wie Ludwig, 815 | 112
plate=HA-L815 | 112
Bonn, O wie Otto, 1234 | 4
""",
    "family on one plate": """
Anna, S FA siebentausendsieben | 101
Frau Lindqvist, Eva, Kennzeichen SFA 7007 | 105
Bernd mit dem Volvo S FA 7007 | 102
Lindqvist, Greta, S FA 7007 | 107
mein Name ist David Lindquist, Kennzeichen S FA siebzig sieben | 104
S-FA 7007 auf Anna | 101
plate=S FA 7007 name=Anna Lindqvist | 101
Clara, Volvo V70, hinten 7007 | 103
""",
}
