// SPDX-License-Identifier: GPL-2.0-or-later
/* How mounts, ports, keys, signals, limits, capabilities, times and commands are read. */
#include "test.h"
#include <signal.h>
#include "caps.h"
#include "describe.h"
#include "json.h"
#include "keys.h"
#include "resources.h"
#include "logs.h"
#include "merge.h"
#include "network.h"
#include "seccomp.h"
#include "share.h"
#include "signals.h"
#include "fields.h"

/* ------------------------------------------------------------------ mounts */

static void check_share(const char *text, enum share_kind kind, const char *source, const char *target, bool read_only)
{
	struct layerblk_error err = { 0 };
	struct share share;

	if (share_parse(text, &share, &err) != 0)
		fail_msg("%s: %s", text, err.why);
	assert_int_equal(share.kind, kind);
	assert_string_equal(share.target, target);
	if (source)
		assert_string_equal(share.source, source);
	else
		assert_null(share.source);
	assert_int_equal(share.read_only, read_only);
	assert_int_equal(share.anonymous, !source);
	share_clear(&share);
}

static void test_volumes(void **state)
{
	static const char *const bad[] = { "", ":", "a", "a:", "a:b", "a:/", "a:/b:xx", "a:/..", "a:/b/../c", "a b:/x:ro:rw", "/", ":/x" };
	struct layerblk_error err;
	struct share share;

	(void)state;
	check_share("data:/srv", SHARE_VOLUME, "data", "/srv", false);
	check_share("data:/srv/:ro", SHARE_VOLUME, "data", "/srv", true);
	check_share("data:/srv:rw,nocopy", SHARE_VOLUME, "data", "/srv", false);
	check_share("/etc:/host:ro,rslave", SHARE_BIND, "/etc", "/host", true);
	check_share("/anonymous", SHARE_VOLUME, NULL, "/anonymous", false);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (share_parse(bad[i], &share, &err) == 0)
			fail_msg("\"%s\" was taken", bad[i]);
}

static void test_mounts(void **state)
{
	static const char *const bad[] = {
		"", "type=volume", "type=nfs,target=/x", "type=bind,target=/x", "type=bind,source=x,target=/x",
		"type=tmpfs,source=/a,target=/x", "type=volume,source=a,target=x", "source=a,target=/x,what=1",
		"type=tmpfs,target=/x,tmpfs-size=much", "type=volume,source=a/b,target=/x",
	};
	struct layerblk_error err = { 0 };
	struct share share, again;
	json_object *json;

	(void)state;
	assert_int_equal(share_parse_mount("type=volume,source=a,target=/x,readonly", &share, &err), 0);
	assert_true(share.kind == SHARE_VOLUME && share.read_only && !share.anonymous);
	share_clear(&share);
	assert_int_equal(share_parse_mount("src=a,dst=/x,readonly=false,volume-nocopy", &share, &err), 0);
	assert_true(share.kind == SHARE_VOLUME && !share.read_only && share.no_copy);
	share.volume = 7;
	json = share_json(&share);
	assert_int_equal(share_from_json(json, &again, &err), 0);
	assert_string_equal(again.source, "a");
	assert_int_equal(again.volume, 7);
	json_object_put(json);
	share_clear(&again);
	share_clear(&share);
	assert_int_equal(share_parse_mount("target=/x", &share, &err), 0);
	assert_true(share.anonymous);
	share_clear(&share);
	assert_int_equal(share_parse_mount("type=tmpfs,destination=/x,tmpfs-size=1m,tmpfs-mode=1777", &share, &err), 0);
	assert_string_equal(share.options, "size=1048576,mode=1777");
	share_clear(&share);
	assert_int_equal(share_parse_tmpfs("/t:size=4k,ro", &share, &err), 0);
	assert_string_equal(share.options, "size=4k,ro");
	share_clear(&share);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (share_parse_mount(bad[i], &share, &err) == 0)
			fail_msg("\"%s\" was taken", bad[i]);
}

static void test_lists(void **state)
{
	struct share_list list = { 0 };
	struct layerblk_error err = { 0 };
	struct share share;

	(void)state;
	assert_int_equal(share_parse("b:/x/y", &share, &err), 0);
	assert_int_equal(shares_add(&list, &share, &err), 0);
	assert_int_equal(share_parse("a:/x", &share, &err), 0);
	assert_int_equal(shares_add(&list, &share, &err), 0);
	assert_string_equal(list.shares[0].target, "/x");
	assert_int_equal(share_parse("c:/x/", &share, &err), 0);
	assert_int_equal(shares_add(&list, &share, &err), -EINVAL);
	assert_true(shares_have(&list, "/x/y"));
	assert_false(shares_have(&list, "/y"));
	shares_clear(&list);
}

/* ------------------------------------------------------------------ ports */

static void check_port(const char *text, size_t count, const char *ip, int host, int port, const char *protocol)
{
	json_object *array = json_object_new_array(), *last;
	struct layerblk_error err = { 0 };

	if (network_parse_port(text, array, &err) != 0)
		fail_msg("%s: %s", text, err.why);
	assert_int_equal(json_object_array_length(array), count);
	last = json_object_array_get_idx(array, count - 1);
	assert_string_equal(json_text(last, "host_ip"), ip);
	assert_int_equal(json_number(last, "host_port"), host);
	assert_int_equal(json_number(last, "port"), port);
	assert_string_equal(json_text(last, "protocol"), protocol);
	json_object_put(array);
}

static void test_ports(void **state)
{
	static const char *const bad[] = { "", "0", "65536", "x", "80:x", "80/icmp", "1.2.3:80:80", "80-90:80-85", "90-80", "1:2:3:4", "-1" };
	json_object *array = json_object_new_array();
	struct layerblk_error err;

	(void)state;
	check_port("80", 1, "", 0, 80, "tcp");
	check_port("8080:80", 1, "", 8080, 80, "tcp");
	check_port("127.0.0.1:8080:80/udp", 1, "127.0.0.1", 8080, 80, "udp");
	check_port("127.0.0.1::80", 1, "127.0.0.1", 0, 80, "tcp");
	check_port("8000-8003:80-83", 4, "", 8003, 83, "tcp");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (network_parse_port(bad[i], array, &err) == 0)
			fail_msg("\"%s\" was taken", bad[i]);
	json_object_put(array);
}

/* ------------------------------------------------------------------ keys */

static void feed(struct keys *keys, const char *typed, const char *passed, bool complete)
{
	unsigned char out[256];
	size_t size;

	assert_int_equal(keys_filter(keys, (const unsigned char *)typed, strlen(typed), out, &size), complete);
	assert_int_equal(size, strlen(passed));
	assert_memory_equal(out, passed, size);
}

static void test_keys(void **state)
{
	struct layerblk_error err = { 0 };
	struct keys keys;

	(void)state;
	assert_int_equal(keys_parse(KEYS_DEFAULT, &keys, &err), 0);
	assert_int_equal(keys.length, 2);
	feed(&keys, "abc", "abc", false);
	feed(&keys, "x\x10", "x", false);	/* held back */
	feed(&keys, "y", "\x10y", false);
	feed(&keys, "\x10", "", false);
	feed(&keys, "\x10", "\x10", false);	/* the second may begin it */
	feed(&keys, "\x11rest", "", true);
	assert_int_equal(keys_parse("a,a,b", &keys, &err), 0);
	feed(&keys, "aaab", "a", true);
	assert_int_equal(keys_parse("ctrl-@,Ctrl-[,ctrl-_", &keys, &err), 0);
	assert_int_equal(keys.sequence[0], 0);
	assert_int_equal(keys.sequence[1], 27);
	assert_int_equal(keys.sequence[2], 31);
	assert_int_equal(keys_parse("ctrl-1", &keys, &err), -EINVAL);
	assert_int_equal(keys_parse("ctrl", &keys, &err), -EINVAL);
	assert_int_equal(keys_parse("a,,b", &keys, &err), -EINVAL);
	assert_int_equal(keys_parse("", &keys, &err), -EINVAL);
}

static void test_signals(void **state)
{
	struct layerblk_error err;
	int number;

	(void)state;
	assert_int_equal(signal_parse("TERM", &number, &err), 0);
	assert_int_equal(number, SIGTERM);
	assert_int_equal(signal_parse("sigkill", &number, &err), 0);
	assert_int_equal(number, SIGKILL);
	assert_int_equal(signal_parse("10", &number, &err), 0);
	assert_int_equal(number, 10);
	assert_int_equal(signal_parse("SIGRTMIN+3", &number, &err), 0);
	assert_int_equal(number, SIGRTMIN + 3);
	assert_int_equal(signal_parse("NOPE", &number, &err), -EINVAL);
	assert_int_equal(signal_parse("0", &number, &err), -EINVAL);
	assert_int_equal(signal_parse("65", &number, &err), -EINVAL);
	assert_int_equal(signal_parse("", &number, &err), -EINVAL);
}

/* ------------------------------------------------------------------ limits */

static void test_limits(void **state)
{
	static const char *const bad_cpus[] = { "", "0", "-1", "x", "1x", "nan", "inf" };
	static const char *const bad_ulimits[] = { "", "nofile", "nofile=", "nofile=x", "nothing=1", "nofile=1:x", "nofile=-2" };
	static const char *const bad_devices[] = { "", "x", "/dev/x:y", "/dev/x:/dev/y:q", "/dev/x:/dev/y:" };
	struct layerblk_error err;
	json_object *json;
	int64_t nano;

	(void)state;
	assert_int_equal(limits_parse_cpus("1.5", &nano, &err), 0);
	assert_int_equal(nano, 1500000000);
	for (size_t i = 0; i < sizeof(bad_cpus) / sizeof(*bad_cpus); i++)
		assert_int_equal(limits_parse_cpus(bad_cpus[i], &nano, &err), -EINVAL);
	assert_int_equal(limits_parse_ulimit("nofile=100:200", &json, &err), 0);
	assert_int_equal(json_number(json, "soft"), 100);
	assert_int_equal(json_number(json, "hard"), 200);
	json_object_put(json);
	assert_int_equal(limits_parse_ulimit("core=-1", &json, &err), 0);
	assert_int_equal(json_object_get_int64(json_object_object_get(json, "hard")), -1);
	json_object_put(json);
	for (size_t i = 0; i < sizeof(bad_ulimits) / sizeof(*bad_ulimits); i++)
		assert_int_equal(limits_parse_ulimit(bad_ulimits[i], &json, &err), -EINVAL);
	assert_int_equal(limits_parse_device("/dev/fuse:r", &json, &err), 0);
	assert_string_equal(json_text(json, "container"), "/dev/fuse");
	assert_string_equal(json_text(json, "access"), "r");
	json_object_put(json);
	assert_int_equal(limits_parse_device("/dev/a:/dev/b:rw", &json, &err), 0);
	assert_string_equal(json_text(json, "container"), "/dev/b");
	json_object_put(json);
	for (size_t i = 0; i < sizeof(bad_devices) / sizeof(*bad_devices); i++)
		assert_int_equal(limits_parse_device(bad_devices[i], &json, &err), -EINVAL);
}

static void test_capabilities(void **state)
{
	json_object *record = json_tokener_parse("{\"cap_add\":[\"CAP_NET_ADMIN\"],\"cap_drop\":[\"CAP_CHOWN\"]}");
	json_object *none = json_tokener_parse("{\"cap_add\":[\"CAP_KILL\"],\"cap_drop\":[\"ALL\"]}");
	struct layerblk_error err;
	const char *name;

	(void)state;
	assert_int_equal(caps_check("net_admin", &name, &err), 0);
	assert_string_equal(name, "CAP_NET_ADMIN");
	assert_int_equal(caps_check("cap_sys_ADMIN", &name, &err), 0);
	assert_int_equal(caps_check("all", &name, &err), 0);
	assert_int_equal(caps_check("CAP_", &name, &err), -EINVAL);
	assert_true(caps_has(record, "CAP_NET_ADMIN"));
	assert_true(caps_has(record, "CAP_SETUID"));
	assert_false(caps_has(record, "CAP_CHOWN"));
	assert_false(caps_has(record, "CAP_SYS_ADMIN"));
	assert_true(caps_has(none, "CAP_KILL"));
	assert_false(caps_has(none, "CAP_SETUID"));
	json_object_put(record);
	json_object_put(none);
}

static bool allows(json_object *filter, const char *call)
{
	json_object *rules = json_member(filter, "syscalls", json_type_array);

	for (size_t i = 0; i < json_object_array_length(rules); i++) {
		json_object *rule = json_object_array_get_idx(rules, i), *names = json_member(rule, "names", json_type_array);

		if (strcmp(json_text(rule, "action"), "SCMP_ACT_ALLOW") != 0 || json_member(rule, "args", json_type_array))
			continue;
		for (size_t k = 0; k < json_object_array_length(names); k++)
			if (strcmp(json_object_get_string(json_object_array_get_idx(names, k)), call) == 0)
				return true;
	}
	return false;
}

static void test_seccomp(void **state)
{
	json_object *plain = json_object_new_object(), *admin = json_tokener_parse("{\"cap_add\":[\"CAP_SYS_ADMIN\"]}");
	json_object *filter = seccomp_build(plain), *wide = seccomp_build(admin);

	(void)state;
	assert_string_equal(json_text(filter, "defaultAction"), "SCMP_ACT_ERRNO");
	assert_true(allows(filter, "openat"));
	assert_true(allows(filter, "chroot"));
	assert_false(allows(filter, "mount"));
	assert_false(allows(filter, "unshare"));
	assert_false(allows(filter, "init_module"));
	assert_false(allows(filter, "clone"));	/* only without new namespaces */
	assert_false(allows(filter, "io_uring_setup"));
	assert_true(allows(wide, "mount"));
	assert_true(allows(wide, "clone"));
	assert_false(allows(wide, "init_module"));
	json_object_put(filter);
	json_object_put(wide);
	json_object_put(plain);
	json_object_put(admin);
}

/* ------------------------------------------------------------------ logs and texts */

static void test_times(void **state)
{
	struct layerblk_error err;
	int64_t ns;

	(void)state;
	assert_int_equal(logs_parse_time("1970-01-01T00:00:01.5Z", 0, &ns, &err), 0);
	assert_int_equal(ns, 1500000000);
	assert_int_equal(logs_parse_time("1970-01-01T02:00:00.000000001+02:00", 0, &ns, &err), 0);
	assert_int_equal(ns, 1);
	assert_int_equal(logs_parse_time("1970-01-02", 0, &ns, &err), 0);
	assert_int_equal(ns, 86400LL * 1000000000);
	assert_int_equal(logs_parse_time("10m", 601LL * 1000000000, &ns, &err), 0);
	assert_int_equal(ns, 1000000000);
	assert_int_equal(logs_parse_time("1700000000.5", 0, &ns, &err), 0);
	assert_int_equal(ns, 1700000000500000000);
	assert_int_equal(logs_parse_time("soon", 0, &ns, &err), -EINVAL);
	assert_int_equal(logs_parse_time("1970-13-01", 0, &ns, &err), -EINVAL);
}

static void test_log_lines(void **state)
{
	char whole[] = "2024-05-01T10:00:00.000000001+00:00 stderr F a  text ", part[] = "2024-05-01T10:00:00Z stdout P ";
	static const char *const bad[] = { "", "x", "2024-05-01T10:00:00Z stdout", "2024-05-01T10:00:00Z stdout X y", "no stdout F y" };
	struct log_line line;

	(void)state;
	assert_true(logs_parse_line(whole, &line));
	assert_true(line.error && !line.partial);
	assert_string_equal(line.text, "a  text ");
	assert_true(logs_parse_line(part, &line));
	assert_true(!line.error && line.partial);
	assert_string_equal(line.text, "");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		char *copy = strdup(bad[i]);

		assert_false(logs_parse_line(copy, &line));
		free(copy);
	}
}

static void test_ages(void **state)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} all[] = { { 0, "Less than a second" }, { 1, "1 second" }, { 59, "59 seconds" }, { 60, "About a minute" }, { 120, "2 minutes" },
		    { 3600, "About an hour" }, { 7200, "2 hours" }, { 3 * 86400, "3 days" }, { 21 * 86400, "3 weeks" } };
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		describe_time(all[i].seconds, text, sizeof(text));
		assert_string_equal(text, all[i].text);
	}
}

/* ------------------------------------------------------------------ the command */

static void check_args(const char *config, const char *entrypoint, int argc, const char *want)
{
	static char one[] = "one", two[] = "two";
	char *argv[] = { one, two, NULL };
	json_object *image = json_tokener_parse(config), *args = NULL;
	struct layerblk_error err;
	int rc = merge_args(image, entrypoint, argc, argv, &args, &err);

	if (want) {
		assert_int_equal(rc, 0);
		assert_string_equal(json_object_to_json_string_ext(args, JSON_C_TO_STRING_PLAIN), want);
		json_object_put(args);
	} else {
		assert_int_equal(rc, -EINVAL);
	}
	json_object_put(image);
}

static void test_args(void **state)
{
	static const char both[] = "{\"config\":{\"Entrypoint\":[\"e\"],\"Cmd\":[\"c\",5]}}", none[] = "{\"config\":null}";

	(void)state;
	check_args(both, NULL, 0, "[\"e\",\"c\"]");
	check_args(both, NULL, 2, "[\"e\",\"one\",\"two\"]");
	check_args(both, "x", 0, "[\"x\"]");
	check_args(both, "x", 1, "[\"x\",\"one\"]");
	check_args(both, "", 1, "[\"one\"]");
	check_args(both, "", 0, NULL);
	check_args(none, NULL, 0, NULL);
	check_args(none, NULL, 1, "[\"one\"]");
}

static void test_config(void **state)
{
	json_object *image = json_tokener_parse("{\"config\":{\"Env\":[\"A=1\",\"B=2\",3],\"Labels\":{\"x\":\"1\",\"y\":\"2\"},\"User\":\"u\","
						"\"WorkingDir\":\"/w\",\"Volumes\":{\"/v\":{},\"/w/x\":{}},\"StopSignal\":\"INT\"}}");
	json_object *record = json_tokener_parse("{\"env\":[\"B=own\"],\"labels\":{\"y\":\"own\"},\"user\":\"me\"}");
	struct share_list list = { 0 };
	struct layerblk_error err;
	struct share share;

	(void)state;
	merge_config(record, image);
	assert_string_equal(json_object_to_json_string_ext(json_object_object_get(record, "env"), JSON_C_TO_STRING_PLAIN),
			    "[\"A=1\",\"B=own\"]");
	assert_string_equal(json_text(json_object_object_get(record, "labels"), "x"), "1");
	assert_string_equal(json_text(json_object_object_get(record, "labels"), "y"), "own");
	assert_string_equal(json_text(record, "user"), "me");
	assert_string_equal(json_text(record, "workdir"), "/w");
	assert_string_equal(json_text(record, "stop_signal"), "INT");
	assert_int_equal(share_parse("named:/v", &share, &err), 0);
	assert_int_equal(shares_add(&list, &share, &err), 0);
	assert_int_equal(merge_volumes(&list, image, &err), 0);
	assert_int_equal(list.count, 2);
	assert_string_equal(list.shares[0].source, "named");
	assert_true(list.shares[1].anonymous);
	shares_clear(&list);
	json_object_put(image);
	json_object_put(record);
}

/* ------------------------------------------------------------------ templates */

static void check_template(const char *format, const char *want)
{
	json_object *object = json_tokener_parse("{\"State\":{\"Pid\":7,\"Status\":\"up\"},\"Name\":\"/a\",\"List\":[1,\"x\"],\"No\":null,"
							"\"Deep\":[[1,2],[3]],\"Ports\":{\"80/tcp\":[{\"HostPort\":\"8080\"}]}}");
	struct layerblk_error err = { 0 };
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int rc = fields_write(out, format, object, &err);

	fclose(out);
	if (want)
		assert_string_equal(text, want);
	assert_int_equal(rc, want ? 0 : -EINVAL);
	free(text);
	json_object_put(object);
}

static void test_templates(void **state)
{
	(void)state;
	check_template("{{.State.Pid}} {{ .name }}", "7 /a\n");
	check_template("{{json .List}}\\t{{json .Name}}", "[1,\"x\"]\t\"/a\"\n");
	check_template("plain", "plain\n");
	check_template("{{.Nothing.There}}{{.No}}", "<no value><no value>\n");
	check_template("{{.State}}", "{\"Pid\":7,\"Status\":\"up\"}\n");
	check_template("{{range .List}}<{{.}}>{{end}}", "<1><x>\n");
	check_template("{{range $i, $v := .List}}{{$i}}={{$v}},{{$.Name}};{{else}}none{{end}}", "0=1,/a;1=x,/a;\n");
	check_template("{{range $k, $v := .State}}{{$k}} -> {{$v}}{{println}}{{end}}", "Pid -> 7\nStatus -> up\n\n");
	check_template("{{range .No}}x{{else}}none{{end}}{{range .Name}}x{{end}}", "none\n");
	check_template("{{range .Deep}}{{range .}}{{.}}{{end}}|{{end}}", "12|3|\n");
	check_template("{{if .State.Pid}}on{{else}}off{{end}}{{if .No}}on{{else if eq .State.Status \"up\" \"x\"}}up{{end}}", "onup\n");
	check_template("{{with .State}}{{.Pid}}{{$.Name}}{{end}}{{with .No}}{{.}}{{else}}-{{end}}", "7/a-\n");
	check_template("{{(index (index .Ports \"80/tcp\") 0).HostPort}} {{index .List 1}} {{index .List 9}}", "8080 x <no value>\n");
	check_template("{{len .List}} {{.State.Status | upper}} {{join .List \",\"}} {{index (split .Name \"/\") 1}} {{title \"ab\"}}",
		       "2 UP 1,x a Ab\n");
	check_template("{{ne 1 2}} {{lt 2 10}} {{gt 2 10}} {{not .No}} {{and 1 .Name}} {{or .No \"x\"}} {{print \"a\" 1}}",
		       "true true false true /a x a1\n");
	check_template("a  {{- .State.Pid -}}  b {{`}}`}}", "a7b }}\n");
	check_template("{{range .List}}", NULL);
	check_template("{{end}}", NULL);
	check_template("{{if}}x{{end}}", NULL);
	check_template("{{if .No}}{{bad}}{{end}}", NULL);
	check_template("{{$x}}", NULL);
	check_template("{{(.Name}}", NULL);
	check_template("{{\"open}}", NULL);
	check_template("{{len}}", NULL);
	check_template("{{.Name .Name}}", NULL);
	check_template("{{((((((((((((((((((((((((((((((((((.))))))))))))))))))))))))))))))))))))))}}", NULL);
	check_template("{{.Name", NULL);
	check_template("{{}}", NULL);
	check_template("{{..}}", NULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_volumes), cmocka_unit_test(test_mounts), cmocka_unit_test(test_lists), cmocka_unit_test(test_ports),
		cmocka_unit_test(test_keys), cmocka_unit_test(test_signals), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_capabilities), cmocka_unit_test(test_seccomp), cmocka_unit_test(test_times),
		cmocka_unit_test(test_log_lines), cmocka_unit_test(test_ages), cmocka_unit_test(test_args), cmocka_unit_test(test_config),
		cmocka_unit_test(test_templates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
