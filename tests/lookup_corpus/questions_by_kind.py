"""
Questions of callers as speech-to-text writes them, by the kind of difficulty, written by hand; as in
`written_questions`.
"""

from __future__ import annotations

QUESTIONS_BY_KIND = {
    "umlaut lost or spelled out": """
TU-XF 451 | 33
TUE-XF 451 | 33
tuxf 451 | 33
Kennzeichen ist T U X F vierhunderteinundfünfzig | 33
T U E X F vier fünf eins | 33
ja guten Tag, es geht um TU RM 77 | 34
tue rm siebenundsiebzig | 34
LO WE 310 | 35
loe we 310 bitte | 35
L O strich W E drei eins null | 35
plate=LOE-WE310 | 35
GO TT 1209 | 36
goe tt zwölf null neun | 36
G O E, T T, zwölf neun | 36
K U N S U 12 | 37
KUEN SU 12 | 37
Kün Su zwölf | 37
FU RT neunhundert | 38
fue rt 900 | 38
plate=FURT900 | 38
B O R D fünfundfünfzig | 39
boe rd 55 | 39
wu rz 2024 | 40
W U E R Z zwanzig vierundzwanzig | 40
W Ü strich R Z zweitausendvierundzwanzig | 40
SUW PF 61 | 41
S U E W P F einundsechzig | 41
HMU AN 7 | 42
HMUE-AN 7 | 42
mue hl 84, der Amarok | 43
MU HL vierundachtzig | 43
SLU CH 205 | 44
S L U Umlaut C H zwei null fünf | 44
""",
    "town for code": """
Tübingen X F 451 | 33
Lörrach WE 310 | 35
Göttingen T T zwölf null neun | 36
Fürth RT 900 | 38
Würzburg R Z 2024 | 40
Tauberbischofsheim M S 318 | 45
Schwäbisch Hall L U zweiundvierzig | 46
Schwäbisch Hall, Ludwig Ulrich, 42 | 46
Pforzheim E K 606 | 47
mein Kennzeichen ist Calw Otto Xanthippe neunzehn | 48
Bad Tölz I S 83 | 49
Bad Tölz, Ida Siegfried, dreiundachtzig | 49
Ravensburg Siegfried Ulrich 2210 | 50
Freudenstadt TZ vier | 51
Ulm M E 501 | 52
Schwäbisch Gmünd O R 88 | 53
Aalen L N 7171 | 54
Leonberg N B 33 | 55
Nürtingen RG 208 | 56
Nürtingen Richard Gustav zwei null acht | 56
Mosbach B A 9 | 57
Konstanz ZE vierzehn zwanzig | 58
Backnang N G dreihundert | 59
Villingen-Schwenningen D O 616 | 60
Villingen Schwenningen DO sechs eins sechs | 60
Emmendingen E N 72 | 61
Offenburg KI elf elf | 62
Biberach HR siebenundvierzig | 63
der Tiguan, äh nein, der Touran mit Aalen LN einundsiebzig einundsiebzig | 54
Hallo, das Auto hat Böblingen V T 230 | 88
Waiblingen M D 64 | 84
Göppingen O B 71 | 89
Esslingen am Neckar D L 921 | 85
Bad Dürkheim W E 21 | 65
Rems-Murr-Kreis M D 64 | 84
""",
    "no letters after the district": """
WN 8104 | 66
Waiblingen 8104 | 66
W N acht eins null vier | 66
Waiblingen einundachtzig null vier, das Feuerwehrauto | 66
S 2042 | 67
Stuttgart zwanzig zweiundvierzig | 67
S zwei null vier zwei, Gartenamt | 67
ES 20117 | 68
Esslingen 20 117 | 68
E S zwei null eins eins sieben | 68
BWL 4 715 | 69
BWL 4-715 | 69
B W L vier sieben eins fünf | 69
Berta Wilhelm Ludwig vier sieben fünfzehn | 69
BP 25 118 | 70
B P fünfundzwanzig einhundertachtzehn | 70
Bundespolizei BP 25-118 | 70
THW 80512 | 71
T H W acht null fünf eins zwo | 71
WN 06123 | 82
WN null sechs eins zwo drei, das rote Kennzeichen | 82
plate=wn8104 | 66
""",
    "special plates": """
Y-123 456 | 72
Y 123456 | 72
Ypsilon eins zwei drei vier fünf sechs | 72
Ypsilon hundertdreiundzwanzig vierhundertsechsundfünfzig | 72
Bundeswehr Y 482 917 | 73
y482917 | 73
Y, vier acht zwei, neun eins sieben | 73
0-17-14 | 74
0 17 14 | 74
null siebzehn vierzehn | 74
das Diplomatenkennzeichen null strich siebzehn strich vierzehn | 74
plate=0-17-14 | 74
null eins sieben eins vier, Botschaft | 74
B 9217 | 75
Berlin neun zwei eins sieben | 75
ZH 123456 | 76
ZH eins zwo drei vier fünf sechs | 76
Zürich 123456 | 76
Z H hundertdreiundzwanzigtausendvierhundertsechsundfünfzig | 76
TG 48 201 | 77
Thurgau TG 48201 | 77
ES CA 208 | 78
ES CA 208 Saison drei bis zehn | 78
ES-CA 208 03/10 | 78
LB SO 9 | 79
L B S O 9, Saisonkennzeichen von April bis Oktober | 79
LB-SO 9 04-10 | 79
GP HI 33 H | 80
Göppingen H I dreiunddreißig H Saison vier bis zehn | 80
X 1234 | 81
X-1234 | 81
""",
    "names of several words": """
vonderheide | 83
Frau von der Heide | 83
Katharina Vonderheide | 83
Von Derheide, der Audi A1 | 83
name=Heide | 83
Mac Donald | 84
Fiona Mc Donald | 84
name=Macdonald | 84
Frau McDonald mit dem Jaguar | 84
Deluca | 85
Herr De Luca, der Alfa | 85
Paolo Luca | 85
Almasri | 86
Al Masri Khaled | 86
name=Herr Masri | 86
Großebölting | 87
Grosse Bölting, Heinz | 87
Herr Bölting | 87
Vandenberg | 88
van den Berg | 88
Herr Vanden Berg der Volvo | 88
name=Pieter Berg | 88
Schulze Beckinghausen | 91
Frau Schulzebeckinghausen | 91
Annegret Beckinghausen | 91
Meyer zu Uptrup | 93
Frau Meier Uptrup | 93
Elke Meyerzuuptrup | 93
Uptrup, der Up | 93
Schmitzkröger | 94
Edeltraud Schmitz Kröger | 94
Frau Kröger, der Opel Adam | 94
Bensalah | 95
Youssef Salah | 95
El Said | 97
Elsayed, Sportage | 97
Abdelhamid El Sayed | 97
Abdul Hamid Elsayed | 97
Da Silva Rosa Maria | 98
Teixeira | 98
Rosamaria Dasilva | 98
Frau Teixeira Silva mit dem Ibiza | 98
""",
    "letters of names": """
Yildirim Özgür | 90
Özgür Jildirim, der Fiat | 90
Herr Yildrim mit dem Doblo | 90
O Neil | 89
Oneil | 89
O'Neil | 89
Sinead O'Neill | 89
Shinead O'Neil, der Mini | 89
Frau O’Neil | 89
D Angelo | 92
Dangelo Carmela | 92
Frau D'Angelo | 92
Jean Baptiste Lefevre | 96
Lefèvre, HN AB 555 | 96
HN AB 555 | 96
plate=HNAB555 | 96
""",
    "phone and plate digits": """
Kennzeichen hinten 2309, Handynummer hinten 4411 | 121
die letzten vier vom Telefon sind 4411 und vom Auto 2309 | 121
Telefonnummer endet auf vier vier eins eins, Kennzeichen endet auf 2309 | 121
plate=2309 phone=4411 | 121
Autonummer zwo drei null neun, Telefon zum Schluss sechs null null eins, nicht der Audi | 122 2
Kennzeichen 6001, Handy 2309 | 123
Handynummer hinten dreiundzwanzig null neun und das Kennzeichen hinten sechzig null eins | 123
meine Handynummer endet auf 2309, der Wagen hat die 6001 | 123
die letzten vier Ziffern der Telefonnummer sind 7788, Kennzeichen 5544 | 124
hinten auf dem Kennzeichen steht 5544, mein Handy hört mit 7788 auf | 124
Nummernschild 7788 und die letzten vier Ziffern von meinem Handy sind 5544 | 125
5544 sind die letzten vier Ziffern meiner Handynummer und 7788 die vom Kennzeichen | 125
4411 vom Handy, 2309 vom Kennzeichen | 121
mit der 7788 phone=5544 | 125
Uhlig, Telefon hinten 7788 | 124
LB NJ, Handy endet mit 5544 | 125
""",
    "colloquial numbers": """
ES TE vierhunnert E | 30
M AB dausend | 19
TÜ XF vierhunderteinnfuffzich | 33
TÜ XF vierhundert einundfuffzig | 33
GP QR dreihundert zwanzich | 12
GP QR drei zwanzich | 12
WN AE dreiundzwanzich null neun | 1
WN AE dreinzwanzig null neun | 1
BB TZ dreissich vierzich | 22
BB TZ dreißich vierzich | 22
TÜ RM siebenunsiebzich | 34
TÜ RM siebnundsiebzig | 34
P JW siebn null zwo | 21
FR EI neununzwanzich | 27
FR EI neunezwanzig | 27
WN PT fuffzehn fuffzich | 29
WN BD fuffzehn fuffzehn | 28
RT MM fümf | 15
LÖ B noin | 23
HH VF seggs | 16
SHA LU zwoundvierzig | 46
LEO NB dreiundreißig | 55
EM EN zwoundsiebzich | 61
TÖL IS dreiundachzig | 49
TÖL IS dreiundachtzich | 49
WÜ RZ zwanzisch vierundzwanzisch | 40
RV SU zweiundzwanzichzehn | 50
KN ZE viazehn zwanzig | 58
GD OR achtunachtzich | 53
MÜ HL vierunachzig | 43
BC HR sibbenundvierzig | 63
BÖ RD fümfunfuffzig | 39
""",
    "hyphen or town decides": """
B-NO 1234 | 3
BN-O 1234 | 4
Berlin N O 1234 | 3
Bonn O 1234 | 4
plate=B-NO1234 | 3
plate=BN-O 1234 | 4
H-AL 815 | 111
HA-L 815 | 112
Hannover A L acht eins fünf | 111
Hagen L 815 | 112
H Bindestrich A L 815 | 111
H A Strich L acht fünfzehn | 112
E-ST 40 | 113
ES-T 40 | 114
Essen ST vierzig | 113
Esslingen T 40 | 114
M-ZA 77 | 115
MZ-A 77 | 116
München Z A siebenundsiebzig | 115
Mainz A 77 | 116
MZ Strich A 77 | 116
""",
    "family on one plate": """
S FA 7007, Anna | 101
S-FA 7007, Anna Lindqvist | 101
Anna Lindkwist, S FA siebzig null sieben | 101
Eva, das Auto mit S FA 7007 | 105
plate=S-FA 7007 name=Greta | 107
plate=SFA7007 name=Felix Lindquist | 106
hier ist Clara Lindqvist, 7007 | 103
Bernd Lindqvist, der Volvo | 102
S FA 7007, die Nummer endet auf 0073 | 104
WN HR 512 | 110 109 108
WN HR 512, Auftragsnummer 109 | 109
die Auftragsnummer ist eins null acht, Hornung | 108
Sigrid Hornung, WN HR 512 | 110 109 108
WN HR 512, Auftragsnummer 109 | 109
die Auftragsnummer ist eins null acht, Hornung | 108
""",
    "surnames that are other words too": """
Frau Groß | 131
frau groß | 131
Dörte Groß | 131
dörte groß, der rote Audi | 131
Groß, Dörte | 131
Guten Tag, mein Name ist Klein, es geht um den Up | 133
hier spricht Wendeline Klein | 133
ja hier ist Klein, VW Up | 133
ich heiße Klein, ES KL fünf | 133
Klein, Wendeline | 133
Herr Herr | 134
Volkhard Herr | 134
mein Name ist Herr, der Mercedes | 134
Herr Gut | 135
Burkhard Gut | 135
Frau Neu | 136
Hanna Neu | 136
Herr Alt, der Tesla | 137
Otto Alt | 137
Familie Bitte | 138
guten Morgen, Frau Morgen hier | 139
Ina Morgen | 139
""",
    "make and model beside a town": """
Ulf Böhm, BMW X1 | 140
Ulf Böhm, BMW X1, Esslingen | 140
Böhm, X1 aus Esslingen | 140
Groß, Audi A3, Waiblingen | 131
Klein, VW Up, Esslingen | 133
Herr, Mercedes C 180, Göppingen | 134
Mercedes C180, Göppingen HH | 134
Audi TT, Ludwigsburg | 135
Neu, Golf 7, Stuttgart | 136
Tesla Model S, Esslingen O A | 137
Volvo XC60, Esslingen I M | 139
BMW X1 ES UB 417 | 140
""",
}
