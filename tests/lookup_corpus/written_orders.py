"""
The orders of `mirror` that were written by hand: number, plate, person, phone, e-mail address, vehicle, colour and,
where it matters, the day.
"""

from __future__ import annotations

WRITTEN_ORDERS = """
   1 | WN-AE 2309 | Meyer, Sabine | 07151 9876543 | sabine.meyer@example.org | VW Golf VIII | schwarz
   2 | WN-AF 2309 | Jana Petersen | 0151 23456001 | jana.petersen@example.org | Audi A4 | rot
   3 | B-NO 1234 | Otto Nordpol | 030 5550101 | otto@nordpol.example | BMW 320d | blau
   4 | BN-O 1234 | Ida Kaufmann | 0228 5550102 | | Opel Corsa | grau
   5 | ES-EL 88H | Friedrich Häußermann | 0711 5550103 | | Mercedes-Benz 280 SL | silber
   6 | LB-ZO 47E | Elektro Bäuerle GmbH | 07141 5550104-0 | info@elektro-baeuerle.example | Renault Zoe | weiß
   7 | W-12345A | Leopold Gruber | +43 1 5550105 | gruber@example.at | Skoda Octavia | grün
   8 | AB-123-CD | Marie Dupont | +33 6 12 34 56 78 | | Renault Clio | rot
   9 | TÜ-KE 18 | Übelhör, Jörg | 07071 5550106 | joerg.uebelhoer@gmx.example | VW Polo | rot
  10 | S-KL 451 | Ayşe Yıldırım | 0176 5550107 | a.yildirim@example.com | Ford Fiesta | weiß
  11 | S-KL 451 | Ayşe Yıldırım | 0176 5550107 | a.yildirim@example.com | Ford Fiesta | weiß
  12 | GP-QR 320 | Anton Meyer | 07161 5550108 | | VW Passat | grau
  13 | GP-OR 320 | Malerbetrieb Rühle e.K. | (07161) 55 50 109 | kontakt@malerruehle.example | VW Caddy | gelb
  14 | THW-81234 | Technischer Helferkreis e.V. | 0228 5550110 | | MAN TGM | blau
  15 | RT-MM 5 04-10 | Wilhelm Berg | 0049 7121 5550111 | | Porsche 911 | schwarz
  16 | HH-VF 6 | Claasen-Thießen, Maike | 040/5550112 | maike_ct@example.net | Volvo V60 | braun
  17 | DO-RT 1212 | Thomas Schröder | 0231-5550113 | | Ford Transit | weiß
  18 | DO-RT 1221 | Thomas Schröter | 0231 5550114 | | Ford Focus | blau
  19 | M-AB 1000 | Dr. med. Charlotte von Hohenfels | 089 5550115 | c.von.hohenfels@example.org | BMW X3 | weiß
  20 | KA-TH 17 | Autohaus Knödler GmbH & Co. KG | 0721 55501-16 | | Audi Q5 | grau
  21 | P-JW 702 | Nguyễn Thị Lan | 0331 5550117 | lan.nguyen@example.org | Toyota Yaris | rot
  22 | BB-TZ 3040 | Karl-Heinz Müller-Lüdenscheidt | 0172 5550118 | khml@example.org | Tesla Model 3 | weiß
  23 | LÖ-B 9 | Pfisterer Umzüge OHG | 07621 5550119 | | Mercedes-Benz Sprinter | weiß
  24 | 12-ABC-3 | Jeroen de Vries | +31 6 12345678 | jeroen.devries@example.nl | Volvo V40 | schwarz
  25 | | Hannelore Zwiebel | 07151 5550120 | | Opel Astra | blau
  26 | FR-EI 209 | Giovanna Esposito | 0160 5550121 | gio.esposito@example.it | Fiat 500 | gelb
  27 | FR-EI 29 | Tankred Ostermann | 0160 5550122 | | Dacia Duster | braun
  28 | WN-BD 1515 | Svenja Quast | 0175 5550123 | svenja-quast@example.org | VW ID.3 | weiß
  29 | WN-PT 1550 | Detlef Quandt | 0175 5550124 | | Seat Leon | rot
  30 | ES-TE 400E | Isolde Wackernagel | 0711 5550125 | isolde42@example.org | Tesla Model Y | grau
  31 | LB-XY 77 | Christoph Kristiansen | 07141 5550126 | ck@example.org | Skoda Fabia | grün
  32 | VAI-X 777 | Xaver Yersin | 07042 5550127 | | VW T6 | orange

  33 | TÜ-XF 451 | Gerlinde Raible | 0171 3920001 | | VW Golf | blau
  34 | TÜ-RM 77 | Hans-Jörg Speidel | 0171 3920002 | | Opel Meriva | rot
  35 | LÖ-WE 310 | Beate Zirkel | 0171 3920003 | | Ford Kuga | weiß
  36 | GÖ-TT 1209 | Ruben Falk | 0171 3920004 | | Skoda Karoq | grau
  37 | KÜN-SU 12 | Adelheid Wirth | 0171 3920005 | | Hyundai i30 | silber
  38 | FÜ-RT 900 | Kostas Papadopoulos | 0171 3920006 | | Audi A6 | schwarz
  39 | BÖ-RD 55 | Wiebke Sassnitz | 0171 3920007 | | Kia Ceed | grün
  40 | WÜ-RZ 2024 | Thekla Amrhein | 0171 3920008 | | Mazda CX-5 | rot
  41 | SÜW-PF 61 | Lothar Deidesheimer | 0171 3920009 | | BMW X1 | braun
  42 | HMÜ-AN 7 | Rosemarie Kunold | 0171 3920010 | | Peugeot 208 | gelb
  43 | MÜ-HL 84 | Xaver Zangl | 0171 3920011 | | VW Amarok | weiß
  44 | SLÜ-CH 205 | Ilse Kreß | 0171 3920012 | | Citroen C3 | rot

  45 | TBB-MS 318 | Ottmar Kettemann | 0171 3920013 | | Opel Zafira | grau
  46 | SHA-LU 42 | Irmgard Fluhrer | 0171 3920014 | | VW Polo | silber
  47 | PF-EK 606 | Drita Krasniqi | 0171 3920015 | | Seat Arona | orange
  48 | CW-OX 19 | Eugen Bitzer | 0171 3920016 | | Suzuki Jimny | grün
  49 | TÖL-IS 83 | Korbinian Ertl | 0171 3920017 | | Audi Q3 | blau
  50 | RV-SU 2210 | Notburga Heim | 0171 3920018 | | Ford Focus | grau
  51 | FDS-TZ 4 | Waldemar Gaiser | 0171 3920019 | | Subaru Forester | blau
  52 | UL-ME 501 | Roswitha Strobel | 0171 3920020 | | Mini Cooper | grün
  53 | GD-OR 88 | Eberhard Munz | 0171 3920021 | | Toyota RAV4 | weiß
  54 | AA-LN 7171 | Friederike Opferkuch | 0171 3920022 | | VW Touran | schwarz
  55 | LEO-NB 33 | Siegbert Krautter | 0171 3920023 | | Mercedes-Benz GLC | silber
  56 | NT-RG 208 | Doris Allmendinger | 0171 3920024 | | Nissan Qashqai | rot
  57 | MOS-BA 9 | Winfried Ehrhardt | 0171 3920025 | | Volvo XC60 | blau
  58 | KN-ZE 1420 | Aurelia Tschirky | 0171 3920026 | | Renault Captur | orange
  59 | BK-NG 300 | Gottlob Wahl | 0171 3920027 | | Opel Astra | rot
  60 | VS-DO 616 | Hedwig Rapp | 0171 3920028 | | Dacia Spring | weiß
  61 | EM-EN 72 | Lorenz Bührer | 0171 3920029 | | Fiat Tipo | blau
  62 | OG-KI 1111 | Melitta Huck | 0171 3920030 | | VW Caddy | grau
  63 | BC-HR 47 | Pankraz Denzel | 0171 3920031 | | Audi A5 | weiß
  64 | MTK-EL 600 | Corinna Faust | 0171 3920032 | | BMW 118i | rot
  65 | DÜW-WE 21 | Gernot Weinmann | 0171 3920033 | | Skoda Yeti | braun

  66 | WN-8104 | Freiwillige Feuerwehr Rettersburg | 0171 3920034 | | MAN TGM | rot
  67 | S-2042 | Gartenamt Süd | 0171 3920035 | | VW Crafter | orange
  68 | ES-20 117 | Straßenmeisterei Kirchheim | 0171 3920036 | | Unimog U 430 | orange
  69 | BWL 4-715 | Polizeirevier Fellbach | 0171 3920037 | | Mercedes-Benz Vito | blau
  70 | BP 25-118 | Bundespolizeiinspektion Stuttgart | 0171 3920038 | | VW T6 | blau
  71 | THW-80512 | Ortsverband Backnang | 0171 3920039 | | Iveco Daily | blau
  72 | Y-123 456 | Fuhrparkservice Standort Calw | 0171 3920040 | | VW Caddy | oliv
  73 | Y-482 917 | Fuhrparkservice Standort Ulm | 0171 3920041 | | Ford Ranger | oliv
  74 | 0-17-14 | Botschaft Sekretariat | 0171 3920042 | | BMW 520d | schwarz
  75 | B-9217 | Konsulat Sachsendorf | 0171 3920043 | | Audi A8 | schwarz
  76 | ZH 123456 | Urs Zürcher | +41 44 668 18 00 | | Skoda Superb | grau
  77 | TG 48 201 | Vreni Keller | +41 44 668 18 01 | | Subaru Outback | grün
  78 | ES-CA 208 03-10 | Manuela Cabriolini | 0171 3920044 | | Mazda MX-5 | rot
  79 | LB-SO 9 (04-10) | Ferdinand Sommer | 0171 3920045 | | Porsche Boxster | gelb
  80 | GP-HI 33H 04/10 | Albrecht Klotz | 0171 3920046 | | VW Käfer | blau
  81 | X-1234 | Host Nation Support | 0171 3920047 | | Ford Transit | weiß
  82 | WN-06123 | Autohaus Winkelbach | 0171 3920048 | | Hyundai Kona | blau

  83 | RT-VH 100 | Katharina von der Heide | 0171 3920049 | | Audi A1 | weiß
  84 | WN-MD 64 | Fiona MacDonald | 0171 3920050 | | Jaguar XE | grün
  85 | ES-DL 921 | Paolo De Luca | 0171 3920051 | | Alfa Romeo Giulia | rot
  86 | S-AM 3406 | Khaled Al-Masri | 0171 3920052 | | Toyota Auris | weiß
  87 | LB-GB 17 | Heinz Große Bölting | 0171 3920053 | | VW Sharan | grau
  88 | BB-VT 230 | Pieter van den Berg | 0171 3920054 | | Volvo V90 | blau
  89 | GP-OB 71 | Sinéad O’Neil | 0171 3920055 | | Mini Clubman | grün
  90 | WN-YI 34 | Özgür Yıldırım | 0171 3920056 | | Fiat Doblo | weiß
  91 | ES-MB 12 | Annegret Schulze\u00adBeckinghausen | 0171 3920057 | | Opel Crossland | grau
  92 | S-DA 4410 | D’Angelo, Carmela | 0171 3920058 | | Fiat 500 | türkis
  93 | LB-EG 445 | Elke Meyer zu Uptrup | 0171 3920059 | | VW Up | gelb
  94 | HN-SC 82 | Schmitz-Kröger, Edeltraud | 0171 3920060 | | Opel Adam | rot
  95 | RT-YB 5050 | Youssef Ben Salah | 0171 3920061 | | Dacia Logan | grau
  96 | HN-AB\u00ad 555 | Jean-Baptiste Lefèvre | 0171 3920062 | | Peugeot 308 | blau
  97 | AA-EH 640 | Abdel Hamid El Sayed | 0171 3920063 | | Kia Sportage | schwarz
  98 | S-RT 1718 | Rosa Maria Teixeira da Silva | 0171 3920064 | | Seat Ibiza | weiß

 101 | S-FA 7007 | Anna Lindqvist | 0171 3920070 | | Volvo V70 | blau | 2026-12-01
 102 | S-FA 7007 | Bernd Lindqvist | 0171 3920071 | | Volvo V70 | blau | 2026-12-02
 103 | S-FA 7007 | Clara Lindqvist | 0171 3920072 | | Volvo V70 | blau | 2026-12-03
 104 | S-FA 7007 | David Lindqvist | 0171 3920073 | | Volvo V70 | blau | 2026-12-04
 105 | S-FA 7007 | Eva Lindqvist | 0171 3920074 | | Volvo V70 | blau | 2026-12-07
 106 | S-FA 7007 | Felix Lindqvist | 0171 3920075 | | Volvo V70 | blau | 2026-12-08
 107 | S-FA 7007 | Greta Lindqvist | 0171 3920076 | | Volvo V70 | blau | 2026-12-09
 108 | WN-HR 512 | Sigrid Hornung | 0171 3920077 | | Ford Galaxy | grau | 2026-10-05
 109 | WN-HR 512 | Sigrid Hornung | 0171 3920077 | | Ford Galaxy | grau | 2026-11-16
 110 | WN-HR 512 | Sigrid Hornung | 0171 3920077 | | Ford Galaxy | grau | 2026-12-08

 111 | H-AL 815 | Torben Ahlers | 0171 3920080 | | Skoda Fabia | rot
 112 | HA-L 815 | Silvia Lohmann | 0171 3920081 | | Opel Corsa | blau
 113 | E-ST 40 | Kevin Stratmann | 0171 3920082 | | VW Golf | grau
 114 | ES-T 40 | Hildegard Traub | 0171 3920083 | | Audi A3 | grau
 115 | M-ZA 77 | Zenta Aigner | 0171 3920084 | | BMW X5 | blau
 116 | MZ-A 77 | Ansgar Appel | 0171 3920085 | | Opel Karl | weiß

 121 | WN-PQ 2309 | Lioba Kress | 0171 3924411 | | Audi A2 | rot
 122 | ES-WV 2309 | Kunibert Lang | 0171 3926001 | | VW Bora | blau
 123 | GP-ZU 6001 | Traudel Fink | 0171 3922309 | | Ford Ka | gelb
 124 | S-VV 5544 | Holm Uhlig | 0171 3927788 | | BMW Z3 | rot
 125 | LB-NJ 7788 | Notger Ziegler | 0171 3925544 | | Fiat Punto | grau

 131 | WN-AX 88 | Dörte Groß | 0171 3920101 | | Audi A3 | rot
 132 | S-LA 1 | Dörte Sperling | 0171 3920102 | | Ford Ka | blau
 133 | ES-KL 5 | Wendeline Klein | 0171 3920103 | | VW Up | gelb
 134 | GP-HH 71 | Volkhard Herr | 0171 3920104 | | Mercedes C 180 | silber
 135 | LB-AA 9 | Gut, Burkhard | 0171 3920105 | | Audi TT | grau
 136 | S-NE 99 | Hanna Neu | 0171 3920106 | | VW Golf 7 | weiß
 137 | ES-OA 700 | Otto Alt | 0171 3920107 | | Tesla Model S | rot
 138 | WN-KZ 81 | Familie Bitte | 0171 3920108 | | Seat Arosa | grün
 139 | ES-IM 404 | Ina Morgen | 0171 3920109 | | Volvo XC60 | blau
 140 | ES-UB 417 | Ulf Böhm | 0171 3920110 | | BMW X1 | schwarz
"""
