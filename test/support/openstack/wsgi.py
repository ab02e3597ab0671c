"""A service's WSGI application on a port of the loopback: `wsgi.py MODULE PORT`; its configuration is in the environment."""
import importlib
import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

# The application reads what is left of the command line itself.
port = int(sys.argv.pop())
module = sys.argv.pop()


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Handler(WSGIRequestHandler):
    def log_message(self, *_):
        pass


application = importlib.import_module(module).application
make_server('127.0.0.1', port, application, Server, Handler).serve_forever()
