/** The names of guests, apart from the schemas, which take long to load. */
export { GUESTS as buildGuests, type GuestName } from '../../../executor/model.js';
