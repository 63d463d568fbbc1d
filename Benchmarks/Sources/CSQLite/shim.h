// SQLite's C interface, as yardstick only: no product links it.
#include <sqlite3.h>
