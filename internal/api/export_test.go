package api

// StrictDecode is strictDecode, for the fuzz target.
var StrictDecode = strictDecode
