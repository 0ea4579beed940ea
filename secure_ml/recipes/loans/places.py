"""Cities with the first three digits of their pin codes, and what addresses and employers are composed of.

Belongs here: word lists only. The localities, streets and employers are common or invented; no address is looked up
anywhere. Must stay out: anything drawn or computed.
"""

CITIES: tuple[tuple[str, str, float], ...] = (
    ("Mumbai", "400", 12.0),
    ("Delhi", "110", 11.0),
    ("Bengaluru", "560", 9.0),
    ("Hyderabad", "500", 7.0),
    ("Chennai", "600", 7.0),
    ("Kolkata", "700", 6.0),
    ("Pune", "411", 6.0),
    ("Ahmedabad", "380", 5.0),
    ("Jaipur", "302", 3.5),
    ("Lucknow", "226", 3.5),
    ("Surat", "395", 3.0),
    ("Kochi", "682", 2.5),
    ("Indore", "452", 2.5),
    ("Nagpur", "440", 2.5),
    ("Coimbatore", "641", 2.0),
    ("Visakhapatnam", "530", 2.0),
    ("Patna", "800", 2.0),
    ("Bhopal", "462", 2.0),
    ("Vadodara", "390", 2.0),
    ("Chandigarh", "160", 1.5),
    ("Bhubaneswar", "751", 1.5),
    ("Guwahati", "781", 1.5),
    ("Mysuru", "570", 1.5),
    ("Madurai", "625", 1.5),
    ("Ranchi", "834", 1.0),
    ("Dehradun", "248", 1.0),
    ("Amritsar", "143", 1.0),
    ("Panaji", "403", 0.8),
)
"""Name, pin code prefix, relative share of the people."""

STREETS = (
    "Gandhi Road",
    "Station Road",
    "Temple Street",
    "Lake View Road",
    "MG Road",
    "Nehru Marg",
    "Park Street",
    "Market Road",
    "College Road",
    "Canal Road",
    "Tilak Path",
    "First Main",
    "Second Cross",
    "Mill Lane",
    "Church Street",
    "Ring Road",
    "Subhash Marg",
    "Hospital Road",
    "Garden Lane",
    "Post Office Lane",
)

LOCALITIES = (
    "Shivaji Nagar",
    "Ashok Vihar",
    "Laxmi Colony",
    "Rajendra Nagar",
    "Green Park",
    "Model Town",
    "Indira Nagar",
    "Shanti Niketan",
    "Civil Lines",
    "Sadar Bazar",
    "Azad Nagar",
    "Vijay Nagar",
    "Saraswati Puram",
    "Railway Colony",
    "Old Town",
    "Kamla Nagar",
    "Sector 9",
    "Sector 21",
    "Patel Nagar",
    "Hill View",
)

EMPLOYER_HEADS = (
    "Sahyadri",
    "Narmada",
    "Kaveri",
    "Aravalli",
    "Vindhya",
    "Godavari",
    "Himadri",
    "Malabar",
    "Deccan",
    "Konark",
    "Nilgiri",
    "Saptarishi",
    "Tungabhadra",
    "Udaygiri",
)

EMPLOYER_TAILS = (
    "Textiles",
    "Motors",
    "Software",
    "Foods",
    "Logistics",
    "Steels",
    "Pharma",
    "Retail",
    "Power",
    "Exports",
)

BANK_CODES = ("SMLB", "NVDB", "GNGB", "KVRB", "DKNB", "ARVB", "MLBB", "HMDB")
"""The banks of the IFSC column; none of them exists."""
