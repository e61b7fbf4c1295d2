"""
Questions of callers, written by hand, with the orders that fit: the one that is meant first. `name=...` and the like
ask by that parameter.
"""

from __future__ import annotations

WRITTEN_QUESTIONS = """
Wilhelm Nordpol, Anton Emil, zwo drei null neun, Meyer | 1
der Golf von Frau Meyer, 2309 | 1
Meier, zwo drei null neun | 1
schwarzer Golf, Kennzeichen WN AE 2309 | 1
WN Anton Friedrich 2309 | 2
WN AF 2309 | 2
Jana Petersen mit dem roten Audi | 2
Petersen, Jana, A4 | 2
Pedersen mit der 2309 | 2
ja guten Tag Petersen hier, ich rufe an wegen meinem Audi WN AF dreiundzwanzig null neun | 2
Jahna Petersen, WN AF | 2
jana punkt petersen at example punkt org | 2
name=Jana Petersen phone=0151 23456001 | 2
name=Petersen plate=WN AF 2309 | 2
name=Peterson plate=WN AF | 2
B NO 1234 | 3 4
BN O 1234 | 4 3
BNO1234 | 3 4
Berta Nordpol Otto eins zwo drei vier | 3 4
B NO 1234, Nordpol | 3
Bonn BN, O wie Otto, 1234, Kaufmann | 4
Herr Nordpol, der blaue BMW | 3
Ida Kaufmann, Corsa | 4
plus vier neun drei null fünf fünf fünf null eins null eins | 3
030 5550101 | 3
ES EL 88 H | 5
ES EL 88 | 5
der Oldtimer ES EL achtundachtzig H wie Heinrich | 5
Häusermann, der alte Mercedes | 5
Haeussermann Friedrich, 280 SL | 5
LB ZO 47 E | 6
LB ZO 47, der elektrische | 6
LB-ZO47E | 6
Elektro Bäuerle, der Renault | 6
Firma Bäuerle Elektro, LB ZO | 6
Elektro Beuerle Zoe | 6
info at elektro minus baeuerle punkt example | 6
07141 55501040 | 6
07141 5550104 | 6
W-12345A | 7
W 12345 A | 7
das österreichische Kennzeichen W 12345 A, Gruber | 7
0043 1 5550105 | 7
gruber ät example punkt at | 7
AB-123-CD | 8
AB 123 CD | 8
das französische Kennzeichen, AB 123 CD | 8
Madame Dupont, der rote Clio | 8
Dupon Clio | 8
TÜ KE 18 | 9
Tübingen TÜ, Kaufmann Emil achtzehn | 9
TUE KE 18 | 9
TU KE 18 | 9
Übelhör | 9
Uebelhoer, Polo | 9
Ubelhor | 9
Jörg Übelhör, TÜ KE 18 | 9
S KL 451 | 10 11
Siegfried, Kaufmann Ludwig, vier fünf eins | 10 11
Yildirim mit dem Fiesta | 10 11
Frau Jildirim, S KL 451 | 10 11
0176 5550107 | 10 11
a punkt yildirim at example punkt com | 10 11
GP QR 320 | 12
GP QR drei zwanzig, Anton Meyer | 12
Hier ist Anton Meyer, es geht um GP QR 320 | 12
GP OR 320 | 13
der gelbe Caddy von Maler Rühle | 13
Malerbetrieb Rühle | 13
Malerbetrieb Rule, GP | 13
07161 5550109 | 13
phone=0 71 61 / 55 50 109 | 13
kontakt at malerruehle punkt example | 13
THW 81234 | 14
T H W 8 12 34 | 14
der Laster vom Helferkreis | 14
Technischer Helferkreis | 14
RT MM 5 | 15
RT MM 5 Saison 04 bis 10 | 15
RT, Martha Martha, fünf | 15
Herr Berg mit dem Porsche | 15
Wilhelm Berg, 911 | 15
0 7 1 2 1 5 5 5 0 1 1 1 | 15
HH VF 6 | 16
doppel H, V F, 6 | 16
Claasen-Thießen | 16
Frau Claassen Thiessen | 16
Klaasen, der braune Volvo | 16
Maike Claasen | 16
Meike Claasen-Thiessen | 16
DO RT 1212 | 17
DO RT zwölf zwölf | 17
DO RT 1221 | 18
Schröter, Ford Focus, Dortmund | 18
Thomas Schröter DO RT | 18
Dora Otto Richard Theodor zwölf einundzwanzig | 18
M AB 1000 | 19
Frau Doktor von Hohenfels | 19
Hohenfels, der weiße BMW | 19
Charlotte Hohenfels, M AB tausend | 19
von Hohenfelz, X3 | 19
KA TH 17 | 20
Autohaus Knödler, Q5 | 20
Konrad Anton Theodor Heinrich eins sieben | 20
0721 5550116 | 20
P JW 702 | 21
Lan Nguyen, Yaris | 21
Frau Nguyen aus Potsdam, P JW sieben null zwei | 21
lan punkt nguyen at example punkt org | 21
BB TZ dreißig vierzig | 22
Müller-Lüdenscheidt | 22
Lüdenscheid, Tesla | 22
Karlheinz Müller Lüdenscheidt | 22
null eins sieben zwo fünf fünf fünf null eins eins acht | 22
name=Mueller Luedenscheidt | 22
LÖ B 9 | 23
Pfisterer Umzüge | 23
Umzüge Fisterer, der Sprinter | 23
der Sprinter von Umzüge Pfisterer | 23
12-ABC-3 | 24
12 ABC 3 | 24
Jeroen de Vries | 24
Fries, Volvo V40 | 24
de Vries | 24
Frau Zwiebel, der blaue Astra | 25
Hannelore Zwiebel | 25
Zwibel | 25
07151 5550120 | 25
FR EI 209 | 26
FR EI zwei null neun | 26
FR EI zwanzig neun | 26 27
FR EI neunundzwanzig | 27
Esposito, der gelbe Fiat | 26
Espossito | 26
Giovanna Esposito FR EI | 26
Ostermann, Tankred | 27
die letzten Ziffern der Telefonnummer sind 550122 | 27
phone=0122 name=Ostermann | 27
WN BD 1515 | 28
WN PT fünfzehn fünfzig | 29
Svenja Quast | 28
Kwast, ID.3 | 28
svenja minus quast at example punkt org | 28
Detlef Quandt, WN PT 1550 | 29
Quant mit dem Leon | 29
ES TE 400 E | 30
ES TE vierhundert | 30
Isolde Wackernagel | 30
Wakernagel, Model Y | 30
isolde zweiundvierzig at example punkt org | 30
isolde42@example.org | 30
LB XY 77 | 31
LB X Y doppel sieben | 31
Kristof Christiansen, Fabia | 31
Kristiansen LB | 31
VAI X 777 | 32
VAI X dreimal die sieben | 32
Yersin, VW Bus T6 | 32
Xaver Jersin | 32
"""
