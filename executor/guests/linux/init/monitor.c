#include "monitor.h"

#include "host.h"
#include "json.h"

struct monitor monitor_from(const struct config *config) {
  if (!config->monitor) return (struct monitor){.steps = NULL};
  const struct json *program = json_member(config->monitor, "program");
  if (!program) host_fail(126, "instance config: the monitor names no program");
  long startup_ms = json_number(config->monitor, "startup_ms", 2000);
  return (struct monitor){
      .steps = steps_from(program, config),
      .startup_ms = startup_ms,
      .interval_ms = json_number(config->monitor, "interval_ms", 30000),
      .next_at = now_ms() + startup_ms,
  };
}

/* One look is over. */
static void judge(struct monitor *monitor) {
  bool passed = !monitor->steps->failed;
  bool changed = passed != monitor->passing;
  monitor->passing = passed;
  monitor->next_at = now_ms() + (passed ? monitor->interval_ms : monitor->startup_ms);
  if (!changed) return;
  host_event(passed ? "{\"event\":\"monitor\",\"passed\":true}" : "{\"event\":\"monitor\",\"passed\":false}");
  if (!passed) monitor->next_at = 0;
}

int64_t monitor_advance(struct monitor *monitor, const struct app *app) {
  if (!monitor->steps) return 0;
  if (!monitor->looking) {
    if (monitor->next_at == 0 || monitor->next_at > now_ms()) return monitor->next_at;
    steps_reset(monitor->steps);
    monitor->looking = true;
  }
  steps_advance(monitor->steps, app, false);
  if (monitor->steps->state != STEP_DONE) return 0;
  monitor->looking = false;
  judge(monitor);
  return monitor->next_at;
}
