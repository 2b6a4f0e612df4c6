// A DynamoDB of dynalite, in memory, on a free port. It prints its address and
// ends with its standard input. script/clients reads tables of it.
import dynalite from 'dynalite';

const server = dynalite({ createTableMs: 0, deleteTableMs: 0 });
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
process.stdin.on('end', () => process.exit(0)).resume();
