/* The peer of our benchmark: a libmilter handler that has everything sent to it
 * and lets everything pass. Usage: readall inet:PORT@127.0.0.1 */
#include <libmilter/mfapi.h>
#include <stddef.h>

static sfsistat on_header(SMFICTX *c, char *f, char *v) { (void)c; (void)f; (void)v; return SMFIS_CONTINUE; }
static sfsistat on_eoh(SMFICTX *c) { (void)c; return SMFIS_CONTINUE; }
static sfsistat on_body(SMFICTX *c, unsigned char *b, size_t n) { (void)c; (void)b; (void)n; return SMFIS_CONTINUE; }
static sfsistat on_eom(SMFICTX *c) { (void)c; return SMFIS_ACCEPT; }

int main(int argc, char **argv)
{
	struct smfiDesc d = {.xxfi_name = "readall", .xxfi_version = SMFI_VERSION,
		.xxfi_header = on_header, .xxfi_eoh = on_eoh, .xxfi_body = on_body, .xxfi_eom = on_eom};
	if (argc != 2 || smfi_setconn(argv[1]) != MI_SUCCESS || smfi_register(d) != MI_SUCCESS)
		return 1;
	return smfi_main();
}
