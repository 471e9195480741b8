//! Floor 2: rows. The only SQL, twin folders per database.
