"""
Documented column names of PlanSo's table, by field path. A form is read with those
in `planso/default_profile.toml`, which a test holds equal to these.

Source: the PlanSo protocol's section 9. A control's `name` or `id` may contain the column.
"""

from collections.abc import Mapping

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "vehicle_details.number_plate": ("Kennzeichen",),
    "vehicle_details.vin": ("VIN",),
    "vehicle_details.first_registration": ("erstzulassung",),
    "vehicle_details.kba": ("KBA",),
    "vehicle_details.km_stand": ("KM",),
    "person": ("Fahrername",),
    "phone": ("Telefon",),
    "email": ("customer_email",),
    "customer_category": ("customer_category",),
    "damage": ("damage",),
    "repair_date": ("repair_date",),
    "shop_date": ("shop_date",),
    "est_hours_karo": ("Sollstunden_Karo",),
    "est_hours_lack": ("Sollstunden_Lack",),
    "appointment_date": ("Termin_vom",),
    "service_advisor": ("Annehmer",),
    "pickup_service": ("Hol_Bring_Dienst",),
    "remarks": ("Bemerkungen",),
    "parts_delivery_date": ("parts_delivery_date",),
    "paint_date": ("paint_date",),
    "shop_back_date": ("shop_back_date",),
    "repair_date_time_from": ("repair_date_time_from",),
    "repair_date_time_to": ("repair_date_time_to",),
    "estimate_date": ("estimate_date",),
    "return_date_time": ("return_date_time",),
    "workshop_distribution": ("Werkstattverteilung",),
    "type_of_date": ("type_of_date",),
    "parts_needed": ("Teile_ben_tigt",),
    "rental_car_deductible": ("Lwg_Selbstbeteiligung",),
    "rental_car_type": ("LWg_Typ",),
    "rental_car_motor": ("LWg_Motorart",),
    "rental_car_transmission": ("LWg_Getriebe",),
    "rental_car_navi": ("LWg_Navi",),
    "rental_car_bluetooth": ("LWg_Bluetooth",),
    "rental_car_hitch": ("LWg_Anh_Kupplung",),
    "rental_car_isofix": ("LWg_Isofix",),
    "deductible": ("Selbstbeteiligung",),
    "pickup_location": ("Abholort",),
    "distance": ("Entfernung",),
    "pickup_company": ("Abhol_Firmenname",),
    "address_notes": ("Adresshinweise",),
    "vehicle_class": ("Klasse",),
    "reclamation": ("Reklamation",),
    "project_status": ("Projekt_Status",),
    "finish_date": ("finish_date",),
    "est_hours_mech": ("Sollstunden_Mech",),
    "vehicle.vin": ("VIN",),
    "vehicle.kba": ("KBA",),
    "vehicle.color_code": ("farbe_nr",),
    "vehicle.color_name": ("Farbton",),
    "vehicle.mileage": ("KM",),
    "vehicle.vehicle": ("Fahrzeug",),
    "vehicle.class": ("Klasse",),
}

CANDIDATE_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "person": ("driver", "Fahrer", "Halter", "vehicleowner", "Kundenvorname", "Kundennachname"),
    "phone": ("Mobi",),
    "damage_description": ("damaged_areas",),
    "external_calculation": ("kv", "Kalkulator"),
    "express_link": ("connectingID", "audatex_task_id", "datID"),
    "rental_car_type": ("Leihwagen_Typ",),
    "external_calculation_done": ("kv_erstellt",),
    "insurance_adjuster": ("sv", "ext_Gutachter"),
    "activate_invoice": ("invoice_approval",),
    "parts_status": ("Lieferstatus", "parts_checked"),
}
"""Columns that may be the field: hints for writing a profile, never used by themselves."""
