#!/usr/bin/busybox sh
# What the folder's own address shows: busybox httpd runs this for each request.
id=${CF_INSTANCE_GUID:-this machine}
# Into the log of the app.
echo "hello from instance ${CF_INSTANCE_INDEX:-0}" >&2
# Lines of a header end in CR and LF.
printf 'Content-Type: text/html; charset=utf-8\r\n\r\n'
cat <<PAGE
<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>Hello from a unikernel</title>
    <link rel="stylesheet" href="/style.css" />
  </head>
  <body>
    <main>
      <h1>Hello from a unikernel</h1>
      <p>This page comes from its own virtual machine: one kernel, one program, these files.</p>
      <p>Instance ${CF_INSTANCE_INDEX:-0}: <code>$id</code></p>
    </main>
  </body>
</html>
PAGE
